/** The API's bodies under their plain names. The truth is `schema.d.ts`, made from openapi.json. */

import type { components } from './schema';

type Schemas = components['schemas'];

export type ActionDetails = Schemas['ActionDetails'];
export type ActionResult = Schemas['ActionResult'];
export type AuditEntry = Schemas['AuditEntry'];
export type AuthorizationRequest = Schemas['AuthorizationRequest'];
export type Checkpoint = Schemas['Checkpoint'];
export type CreatedInstaller = Schemas['CreatedInstaller'];
export type CreateInstallerDetails = Schemas['CreateInstallerDetails'];
export type Customer = Schemas['Customer'];
export type Device = Schemas['Device'];
export type DeviceCounts = Schemas['DeviceCounts'];
export type DeviceDetails = Schemas['DeviceDetails'];
export type DevicePage = Schemas['DevicePage'];
export type Factor = Schemas['Factor'];
export type FoundOn = Schemas['FoundOn'];
export type InclusionProof = Schemas['InclusionProof'];
export type Installer = Schemas['Installer'];
export type Inventory = Schemas['Inventory'];
export type Job = Schemas['Job'];
export type Me = Schemas['Me'];
export type NewInstaller = Schemas['NewInstaller'];
export type NewJob = Schemas['NewJob'];
export type NewRemoteSession = Schemas['NewRemoteSession'];
export type Output = Schemas['Output'];
export type OutputChunk = Schemas['OutputChunk'];
export type Parameter = Schemas['Parameter'];
export type RemoteSession = Schemas['RemoteSession'];
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
