import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A page that claims to be the console: a reverse proxy on another host name, which passes on whatever it is given. It bends the
 * console's scripts so that each request is signed for the real server, and sends it there as if it came from the real page.
 */
export class Impostor {
  url = '';
  /** What was asked of the real server, and what it said. */
  readonly passed: string[] = [];
  private server: Server | undefined;

  constructor(private readonly real: string) {}

  async start(): Promise<this> {
    this.server = createServer((asked, answer) => {
      const onward = request(this.real + asked.url, { method: asked.method, headers: this.disguised(asked.headers) }, async (got) => {
        const chunks: Buffer[] = [];
        for await (const chunk of got) chunks.push(chunk);
        this.passed.push(`${asked.method} ${asked.url} ${got.statusCode}`);
        const { 'content-length': _, ...headers } = got.headers;
        answer.writeHead(got.statusCode ?? 502, headers).end(this.bent(asked.url ?? '', Buffer.concat(chunks)));
      });
      onward.on('error', () => answer.destroy());
      asked.pipe(onward);
    });
    await new Promise<void>((done) => this.server?.listen(0, '127.0.0.1', done));
    // The real console is at another name of the same machine.
    this.url = `http://127.0.0.1:${(this.server?.address() as AddressInfo).port}`;
    return this;
  }

  private disguised({ 'accept-encoding': _, ...headers }: IncomingHttpHeaders): IncomingHttpHeaders {
    return { ...headers, host: new URL(this.real).host, ...(headers.origin && { origin: this.real }) };
  }

  private bent(path: string, body: Buffer): Buffer | string {
    if (path === '/theme.js') return `${body}\nconst sent = fetch; globalThis.fetch = (to, how) => sent(String(to).replace('${this.real}', ''), how);`;
    return path.endsWith('.js') ? body.toString().replaceAll('location.origin', `'${this.real}'`) : body;
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((done) => this.server?.close(done));
  }
}
