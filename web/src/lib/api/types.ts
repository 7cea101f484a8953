/** The API's bodies under their plain names. The truth is `schema.d.ts`, made from openapi.json. */

import type { components } from './schema';

type Schemas = components['schemas'];

export type AuditEntry = Schemas['AuditEntry'];
export type AuthorizationRequest = Omit<Schemas['AuthorizationRequest'], 'result' | 'action'> & { action: ActionDetails; result?: ActionResult | null };
export type Checkpoint = Schemas['Checkpoint'];
export type CreatedInstaller = Schemas['CreatedInstaller'];
export type CreateInstallerDetails = Schemas['CreateInstallerDetails'];
export type Customer = Schemas['Customer'];
export type Device = Schemas['Device'];
export type DeviceCounts = Schemas['DeviceCounts'];
export type DeviceDetails = Schemas['DeviceDetails'];
export type DevicePage = Schemas['DevicePage'];
export type Factor = Schemas['Factor'];
export type InclusionProof = Schemas['InclusionProof'];
export type Installer = Schemas['Installer'];
export type Inventory = Schemas['Inventory'];
export type Job = Schemas['Job'];
export type NewInstaller = Schemas['NewInstaller'];
export type NewJob = Schemas['NewJob'];
export type Output = Schemas['Output'];
export type OutputChunk = Schemas['OutputChunk'];
export type Parameter = Schemas['Parameter'];
export type RequirementStep = Schemas['RequirementStep'];
export type Run = Schemas['Run'];
export type RunCounts = Schemas['RunCounts'];
export type RunScriptDetails = Schemas['RunScriptDetails'];
export type RunState = Schemas['RunState'];
export type SaveScript = Schemas['SaveScript'];
export type Script = Schemas['Script'];
export type ScriptDetails = Schemas['ScriptDetails'];
export type ServerKeys = Schemas['ServerKeys'];
export type Session = Schemas['Session'];
export type SetupDraft = Schemas['SetupDraft'];
export type TargetDetails = Schemas['TargetDetails'];
export type Trust = Schemas['Trust'];
export type Variable = Schemas['Variable'];

export interface Page<T> {
  items: T[];
  next?: string | null;
  total?: number | null;
}

export interface RemoteOpened {
  kind: 'remote_session';
  session: string;
  grant: string;
  envelope: string;
  ticket: string;
  device: { id: string; name: string; thumbprint: string; device_key: string };
  log_index: number;
}
export interface OpenRemoteSessionDetails {
  kind: 'open_remote_session';
  session: string;
  session_kind: string;
  access: string;
  joins: boolean;
  run_as?: string | null;
  consent: string;
  recorded: boolean;
  idle_secs: number;
  max_secs: number;
  targets: Schemas['TargetDetails'];
}
export type ActionResult = Schemas['ActionResult'] | RemoteOpened;
export type ActionDetails = Schemas['ActionDetails'] | OpenRemoteSessionDetails;
export type Me = Schemas['Me'] & { step_up_kind?: string | null };
export interface NewRemoteSession {
  device: string;
  kind: string;
  access: string;
  client_key: string;
  run_as?: string;
  columns?: number;
  rows?: number;
  joins?: string;
}
export interface RemoteAttachment {
  grant: string;
  user: string;
  name: string;
  access: string;
  connected: boolean;
  created: string;
  ended?: string | null;
  end_reason?: string | null;
}
export interface RemoteSession {
  id: string;
  device: string;
  device_name: string;
  kind: string;
  run_as?: string | null;
  opened_by: string;
  opened_by_name: string;
  state: string;
  created: string;
  expires: string;
  ended?: string | null;
  end_reason?: string | null;
  attachments: RemoteAttachment[];
  recording?: { sha256: string; bytes: number } | null;
}
export interface FoundOn {
  device: string;
  name: string;
  online: boolean;
  customer_name: string;
  site_name: string;
  found: { name: string; version: string; detail: string }[];
}
