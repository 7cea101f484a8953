/** The console's pages by path. */

import type { Component } from 'svelte';
import { matched, type Params } from '$lib/router.svelte';
import Approvals from './Approvals.svelte';
import Audit from './audit/Audit.svelte';
import Client from './automation/Client.svelte';
import Clients from './automation/Clients.svelte';
import Connection from './automation/Connection.svelte';
import Connections from './automation/Connections.svelte';
import NewSchedule from './automation/NewSchedule.svelte';
import Schedule from './automation/Schedule.svelte';
import Schedules from './automation/Schedules.svelte';
import Webhook from './automation/Webhook.svelte';
import Webhooks from './automation/Webhooks.svelte';
import Device from './device/Device.svelte';
import Devices from './devices/Devices.svelte';
import Installers from './installers/Installers.svelte';
import Job from './job/Job.svelte';
import Jobs from './job/Jobs.svelte';
import NotFound from './NotFound.svelte';
import Person from './people/Person.svelte';
import Roles from './people/Roles.svelte';
import Users from './people/Users.svelte';
import Profile from './profile/Profile.svelte';
import RemoteSession from './sessions/RemoteSession.svelte';
import Sessions from './sessions/Sessions.svelte';
import Search from './search/Search.svelte';
import Editor from './scripts/Editor.svelte';
import Run from './run/Run.svelte';
import Scripts from './scripts/Scripts.svelte';
import Mails from './security/Mails.svelte';
import MfaPolicy from './security/MfaPolicy.svelte';
import Networks from './security/Networks.svelte';
import Posture from './security/posture/Posture.svelte';
import RemoteRules from './security/RemoteRules.svelte';
import SessionLimits from './security/SessionLimits.svelte';

/** A page takes the path's parameters, or nothing. */
type Page = Component<any>;

interface Route {
  pattern: string;
  title: string;
  page: Page;
}

const ROUTES: Route[] = [
  { pattern: '/devices', title: 'Devices', page: Devices },
  { pattern: '/devices/:id', title: 'Device', page: Device },
  { pattern: '/search', title: 'Everything running', page: Search },
  { pattern: '/scripts', title: 'Scripts', page: Scripts },
  { pattern: '/scripts/:id', title: 'Script', page: Editor },
  { pattern: '/run', title: 'Run a script', page: Run },
  { pattern: '/jobs', title: 'Jobs', page: Jobs },
  { pattern: '/jobs/:id', title: 'Job', page: Job },
  { pattern: '/sessions', title: 'Sessions', page: Sessions },
  { pattern: '/sessions/:id', title: 'Session', page: RemoteSession },
  { pattern: '/installers', title: 'Installers', page: Installers },
  { pattern: '/approvals', title: 'Approvals', page: Approvals },
  { pattern: '/audit', title: 'Audit', page: Audit },
  { pattern: '/automation/clients', title: 'API clients', page: Clients },
  { pattern: '/automation/connections', title: 'Connections', page: Connections },
  { pattern: '/automation/connections/:id', title: 'Connection', page: Connection },
  { pattern: '/automation/clients/:id', title: 'API client', page: Client },
  { pattern: '/automation/schedules', title: 'Schedules', page: Schedules },
  { pattern: '/automation/schedules/new', title: 'New schedule', page: NewSchedule },
  { pattern: '/automation/schedules/:id', title: 'Schedule', page: Schedule },
  { pattern: '/automation/webhooks', title: 'Webhooks', page: Webhooks },
  { pattern: '/automation/webhooks/:id', title: 'Webhook', page: Webhook },
  { pattern: '/profile', title: 'Profile', page: Profile },
  { pattern: '/users', title: 'Users', page: Users },
  { pattern: '/users/:id', title: 'Person', page: Person },
  { pattern: '/roles', title: 'Roles', page: Roles },
  { pattern: '/security/posture', title: 'Posture', page: Posture },
  { pattern: '/security/mfa', title: 'MFA policy', page: MfaPolicy },
  { pattern: '/security/networks', title: 'Networks', page: Networks },
  { pattern: '/security/remote', title: 'Rules for remote sessions', page: RemoteRules },
  { pattern: '/security/sessions', title: 'Limits of sessions', page: SessionLimits },
  { pattern: '/security/mails', title: 'Mails', page: Mails },
];

export interface Found {
  pattern: string;
  title: string;
  page: Page;
  params: Params;
}

export function pageFor(path: string): Found {
  for (const route of ROUTES) {
    const params = matched(route.pattern, path);
    if (params) return { ...route, params };
  }
  return { pattern: '', title: 'Nothing here', page: NotFound, params: {} };
}
