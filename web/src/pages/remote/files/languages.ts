/** Which of the highlighter's languages a file most likely is. */
export function interpreterOf(name: string, text: string): string {
  const first = text.slice(0, 80).split('\n')[0] ?? '';
  if (/\.py$/.test(name) || /^#!.*python/.test(first)) return 'python3';
  if (/\.ps1$/.test(name) || /^#!.*pwsh/.test(first)) return 'pwsh';
  return /\.(?:sh|bash|conf|cfg|ini|service|timer|socket|env|profile|bashrc|ya?ml|toml|list|rules)$/.test(name) || /^#!.*sh\b/.test(first) || !name.includes('.') ? 'bash' : 'text';
}
