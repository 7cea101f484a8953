/** Unsaved script texts survive a reload of the tab, and nothing else: secrets are never in them. */

import type { Parameter } from '$lib/api/types';

export interface ScriptDraft {
  name: string;
  description: string;
  interpreter: string;
  text: string;
  parameters: Parameter[];
  basedOn: number | null;
}

const keyOf = (id: string) => `script-draft.${id}`;

export function keptDraft(id: string): ScriptDraft | undefined {
  try {
    const draft: unknown = JSON.parse(sessionStorage.getItem(keyOf(id)) ?? 'null');
    return draft && typeof draft === 'object' && 'text' in draft ? (draft as ScriptDraft) : undefined;
  } catch {
    return undefined;
  }
}

export const keepDraft = (id: string, draft: ScriptDraft): void => {
  try {
    sessionStorage.setItem(keyOf(id), JSON.stringify(draft));
  } catch {
    // Full or refused storage: the text is still on the page.
  }
};

export const dropDraft = (id: string): void => sessionStorage.removeItem(keyOf(id));

export const sameDraft = (left: ScriptDraft, right: ScriptDraft): boolean =>
  JSON.stringify({ ...left, basedOn: null }) === JSON.stringify({ ...right, basedOn: null });

export const EMPTY_DRAFT: ScriptDraft = {
  name: '',
  description: '',
  interpreter: 'bash',
  text: '#!/usr/bin/env bash\nset -euo pipefail\n\n',
  parameters: [],
  basedOn: null,
};
