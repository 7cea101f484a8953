/** What a client's key is called where its tool runs: short, and safe in a command and as a file's name. */
export function keyName(client: string): string {
  const plain = client.normalize('NFKD').toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return plain.replace(/^-+/, '').slice(0, 32).replace(/-+$/, '') || 'tool';
}
