/** Devices that were chosen in a list, on their way to the run form. Too many for an address, few enough for the tab. */

const KEPT = 'chosen-devices';

export interface ChosenDevice {
  id: string;
  name: string;
  place: string;
  online: boolean;
  os?: string;
  tags?: string[];
}

export function carry(devices: ChosenDevice[]): void {
  sessionStorage.setItem(KEPT, JSON.stringify(devices));
}

export function carried(): ChosenDevice[] {
  try {
    const devices: unknown = JSON.parse(sessionStorage.getItem(KEPT) ?? '[]');
    return Array.isArray(devices) ? devices : [];
  } catch {
    return [];
  }
}
