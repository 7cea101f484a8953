import { defineConfig } from '@playwright/test';

/** Debian's Chromium against a real server with real agents; one worker, for each test is a whole installation. */
export default defineConfig({
  testDir: '.',
  testIgnore: 'booted/**', // cargo xtask systemd-test runs these
  outputDir: './out',
  timeout: 150_000,
  expect: { timeout: 20_000 },
  workers: 1,
  retries: 1, // named at the end of `cargo xtask test`: passed at the second try
  forbidOnly: true,
  reporter: [['list'], ['junit', { outputFile: './out/junit.xml' }]],
  use: {
    launchOptions: { executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium' },
    actionTimeout: 20_000,
    viewport: { width: 1440, height: 900 },
    colorScheme: 'dark',
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
    acceptDownloads: true,
  },
});
