import { createServer, type Server, type Socket } from 'node:net';
import { until } from './installation.js';

export interface Letter {
  to: string;
  subject: string;
  text: string;
}

/** A mail server on loopback that keeps what it is given, so that a test reads mails and follows their links. */
export class Mailbox {
  readonly letters: Letter[] = [];
  private readonly server: Server;
  private readonly open = new Set<Socket>();
  url = '';

  constructor() {
    this.server = createServer((socket) => this.serve(socket));
  }

  async start(): Promise<this> {
    await new Promise<void>((done) => this.server.listen(0, '127.0.0.1', done));
    const address = this.server.address();
    this.url = `smtp://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
    return this;
  }

  /** The settings with which a server sends its mails here. */
  get settings(): Record<string, string> {
    return { SALLYPORT_MAIL_SMTP: this.url, SALLYPORT_MAIL_FROM: 'Sallyport <rmm@northwind.example>' };
  }

  /** The newest link of this kind that was mailed to somebody; each is handed out once. */
  async link(to: string, page: string): Promise<string> {
    return until(`a mailed ${page} link for ${to}`, () => {
      for (const letter of [...this.letters].reverse()) {
        const found = letter.to === to ? new RegExp(`https?://\\S+/${page}#[\\w-]+`).exec(letter.text) : null;
        if (!found) continue;
        letter.text = letter.text.replaceAll(found[0], '');
        return found[0];
      }
      return undefined;
    }).catch((error: Error) => {
      throw new Error(`${error.message} among ${this.letters.map((letter) => `"${letter.subject}" to ${letter.to}`).join(', ')}`);
    });
  }

  async letter(to: string, subject: RegExp): Promise<Letter> {
    return until(`a mail about ${subject}`, () => this.letters.find((one) => one.to === to && subject.test(one.subject)));
  }

  async stop(): Promise<void> {
    for (const socket of this.open) socket.destroy();
    await new Promise((done) => this.server.close(done));
  }

  /** RFC 5321, as much of it as a client needs that wants nothing special. */
  private serve(socket: Socket): void {
    this.open.add(socket);
    socket.on('close', () => this.open.delete(socket));
    socket.on('error', () => socket.destroy());
    let [waiting, to, body] = ['', '', undefined as string[] | undefined];
    const say = (text: string) => socket.write(`${text}\r\n`);
    const line = (text: string): void => {
      if (body) {
        if (text !== '.') return void body.push(text.replace(/^\.\./, '.'));
        this.letters.push(read(to, body.join('\n')));
        body = undefined;
        return void say('250 kept');
      }
      if (/^DATA/i.test(text)) {
        body = [];
        return void say('354 go on');
      }
      if (/^QUIT/i.test(text)) return void socket.end('221 bye\r\n');
      to = /^RCPT TO:<([^>]*)>/i.exec(text)?.[1] ?? to;
      say(/^EHLO/i.test(text) ? '250-mailbox\r\n250 8BITMIME' : '250 ok');
    };
    say('220 mailbox');
    socket.on('data', (bytes) => {
      const lines = (waiting + bytes.toString('utf8')).split('\r\n');
      waiting = lines.pop() ?? '';
      lines.forEach(line);
    });
  }
}

function read(to: string, raw: string): Letter {
  const subject = /^Subject: (.*(?:\n[ \t].*)*)/im.exec(raw)?.[1]?.replace(/\n[ \t]/g, ' ') ?? '';
  const parts = raw.split(/\n--\S+/);
  const text = parts.map((part) => (/quoted-printable/i.test(part) ? unquoted(part) : /Transfer-Encoding: base64/i.test(part) ? Buffer.from(part.split('\n\n').slice(1).join(''), 'base64').toString('utf8') : part)).join('\n');
  return { to, subject, text };
}

const unquoted = (text: string): string =>
  Buffer.from(text.replace(/=\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))), 'latin1').toString('utf8');
