import type { IconName } from '$parts/icons';

const BROWSERS: [RegExp, string][] = [
  [/Edg\//, 'Edge'],
  [/Firefox\//, 'Firefox'],
  [/Chrom(?:e|ium)\//, 'Chromium'],
  [/Safari\//, 'Safari'],
];
const SYSTEMS: [RegExp, string][] = [
  [/Android/, 'Android'],
  [/iPhone|iPad/, 'iOS'],
  [/Windows/, 'Windows'],
  [/Mac OS X/, 'macOS'],
  [/Linux/, 'Linux'],
];

/** A user agent string in two words. It is a claim of whoever signed in; the whole string stands in the title. */
export function agentWords(agent: string): { word: string; icon: IconName } {
  if (/^sallyport/i.test(agent)) return { word: 'Command line', icon: 'script' };
  const browser = BROWSERS.find(([pattern]) => pattern.test(agent))?.[1];
  const system = SYSTEMS.find(([pattern]) => pattern.test(agent))?.[1];
  const word = [browser, system && `on ${system}`].filter(Boolean).join(' ');
  return { word: word || agent.slice(0, 60) || 'Unknown', icon: /Android|iPhone/.test(agent) ? 'phone' : 'device' };
}
