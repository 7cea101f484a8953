/** What the run form holds, and what it becomes. */

import type { NewJob, Parameter, ScriptDetails } from '$lib/api/types';
import type { ChosenDevice } from '$lib/chosen.svelte';

export interface Options {
  /** One argument a line. */
  arguments: string;
  runAs: string;
  minutes: number;
  outputMib: number;
}

export const defaultOptions = (): Options => ({ arguments: '', runAs: '', minutes: 10, outputMib: 1 });

export const argumentsOf = (lines: string): string[] => {
  const list = lines.split('\n');
  while (list.at(-1) === '') list.pop();
  return list;
};

const valueOf = (parameter: Parameter, values: Record<string, string>): string => values[parameter.name] ?? parameter.default ?? '';

/** Why it cannot be asked for yet, in a few words. */
export function whyNot(details: ScriptDetails | null, devices: ChosenDevice[], values: Record<string, string>): string {
  if (!details) return 'Choose a script';
  if (devices.length === 0) return 'Choose devices';
  const empty = details.parameters.find((parameter) => parameter.required && !valueOf(parameter, values));
  return empty ? `${empty.label || empty.name} is missing` : '';
}

export function jobBody(details: ScriptDetails, devices: ChosenDevice[], values: Record<string, string>, options: Options): NewJob {
  const given = (secret: boolean) =>
    details.parameters
      .filter((parameter) => Boolean(parameter.secret) === secret)
      .map((parameter) => ({ name: parameter.name, value: valueOf(parameter, values) }))
      .filter((variable) => variable.value !== '');
  return {
    script: details.script.id,
    version: details.script.version,
    devices: devices.map((device) => device.id),
    arguments: argumentsOf(options.arguments),
    environment: given(false),
    secrets: given(true),
    ...(options.runAs.trim() && { run_as: options.runAs.trim() }),
    time_limit_secs: Math.round(options.minutes * 60),
    output_limit_bytes: Math.round(options.outputMib * 1024 * 1024),
  };
}
