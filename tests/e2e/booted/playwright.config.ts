import { defineConfig } from '@playwright/test';
import ordinary from '../playwright.config.js';

/** The console at a machine with a systemd of its own: `cargo xtask systemd-test` boots it, and says where it is. */
export default defineConfig({ ...ordinary, testIgnore: [], outputDir: '../out/booted', reporter: 'list' });
