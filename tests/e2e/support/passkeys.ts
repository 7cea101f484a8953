import type { CDPSession, Page } from '@playwright/test';

/** Chromium's own authenticator in software, which verifies its user: part of the computer, as a fingerprint reader is, or plugged in. */
export class Passkeys {
  private constructor(
    private readonly cdp: CDPSession,
    private readonly id: string,
  ) {}

  /** `syncable`: its maker may copy what it makes; `backedUp`: it already has. */
  static async on(page: Page, how: { syncable?: boolean; backedUp?: boolean; transport?: 'internal' | 'usb' } = {}): Promise<Passkeys> {
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('WebAuthn.enable', { enableUI: false });
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: how.transport ?? 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
        defaultBackupEligibility: Boolean(how.syncable || how.backedUp),
        defaultBackupState: Boolean(how.backedUp),
      },
    });
    return new Passkeys(cdp, authenticatorId);
  }

  async count(): Promise<number> {
    const { credentials } = await this.cdp.send('WebAuthn.getCredentials', { authenticatorId: this.id });
    return credentials.length;
  }

  /** Its maker copies what it holds to other devices, as a phone does after a night on the charger. */
  async copies(): Promise<void> {
    const { credentials } = await this.cdp.send('WebAuthn.getCredentials', { authenticatorId: this.id });
    for (const { credentialId } of credentials)
      await this.cdp.send('WebAuthn.setCredentialProperties', { authenticatorId: this.id, credentialId, backupEligibility: true, backupState: true });
  }

  /** The finger that is not recognised, or again is. */
  async verify(isUserVerified: boolean): Promise<void> {
    await this.cdp.send('WebAuthn.setUserVerified', { authenticatorId: this.id, isUserVerified });
  }

  /** Nobody touches it: what waits for a touch waits. */
  async touch(enabled: boolean): Promise<void> {
    await this.cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId: this.id, enabled });
  }
}
