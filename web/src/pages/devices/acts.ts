import type { Device } from '$lib/api/types';

/** What a row's menu can do. */
export interface RowActs {
  open: (device: Device) => void;
  run: (device: Device) => void;
  approve: (device: Device) => void;
  remove: (device: Device) => void;
  tag: (device: Device) => void;
}
