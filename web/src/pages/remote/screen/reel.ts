/** A recorded screen as a picture: noVNC is told what the server said, up to a moment. */

import RFB from '@novnc/novnc';
import { ScreenChannel } from '$lib/remote/channel';
import { blocksUntil, type Film } from '$lib/remote/film';

/** noVNC keeps at most 40 MiB that it has not looked at yet; photographs are unpacked while the page draws. */
const WAITING_BYTES = 4 * 1024 * 1024;
/** So many bytes are told at once before the page may draw. */
const AT_ONCE_BYTES = 1024 * 1024;

const LAST_LOOKS = 50;

/** One run of the recording from its beginning. */
class Run {
  readonly host = document.createElement('div');
  next = 0;
  readonly #channel = new ScreenChannel(() => Promise.resolve());
  readonly #rfb: RFB;

  constructor(place: HTMLElement) {
    this.host.className = 'screen__host';
    this.host.style.visibility = 'hidden';
    place.append(this.host);
    this.#rfb = new RFB(this.host, this.#channel, { shared: true });
    Object.assign(this.#rfb, { background: 'transparent', viewOnly: true, focusOnClick: false, scaleViewport: true });
  }

  /** What was told and not drawn yet. */
  get waiting(): number {
    return this.#rfb._sock.rQlen();
  }

  tell(bytes: Uint8Array<ArrayBuffer>): void {
    this.#channel.receive(bytes);
  }

  end(): void {
    this.#channel.close();
    this.host.remove();
  }
}

const drawn = () => new Promise<void>((done) => setTimeout(done));

export class Reel {
  readonly #place: HTMLElement;
  #film: Film;
  #run: Run;
  /** Begins anew, unseen, until it is where it shall be. */
  #coming: Run | undefined;
  #turn = 0;

  constructor(place: HTMLElement, film: Film) {
    this.#place = place;
    this.#film = film;
    this.#run = new Run(place);
    this.#run.host.style.visibility = 'visible';
  }

  /** The same blocks at other moments. */
  retime(film: Film): void {
    this.#film = film;
  }

  /** Shows a moment, the first picture for those before it; true once it is there, false where another one was wanted meanwhile. What came before must be told again to go back. */
  async show(at: number): Promise<boolean> {
    const turn = ++this.#turn;
    const wanted = blocksUntil(this.#film, Math.max(at, this.#film.opening));
    const run = this.#runFor(wanted);
    const there = await this.#tell(run, wanted, () => turn === this.#turn);
    if (there && run !== this.#run) {
      this.#run.end();
      this.#run = run;
      this.#coming = undefined;
      run.host.style.visibility = 'visible';
    }
    return there;
  }

  /** The run that can go on to so many blocks: the one that is seen, or one that begins anew behind it. */
  #runFor(wanted: number): Run {
    const seen = wanted >= this.#run.next;
    if (this.#coming && (seen || wanted < this.#coming.next)) {
      this.#coming.end();
      this.#coming = undefined;
    }
    return seen ? this.#run : (this.#coming ??= new Run(this.#place));
  }

  async #tell(run: Run, wanted: number, stillWanted: () => boolean): Promise<boolean> {
    let told = 0;
    while (run.next < wanted) {
      const { bytes } = this.#film.blocks[run.next++]!;
      run.tell(bytes);
      told += bytes.length;
      while (run.waiting > WAITING_BYTES || told > AT_ONCE_BYTES) {
        told = 0;
        await drawn();
        if (!stillWanted()) return false;
      }
    }
    // A block may end within a rectangle: what is left of one then waits for the next.
    for (let looks = 0; run.waiting > 0 && looks < LAST_LOOKS && stillWanted(); looks++) await drawn();
    return stillWanted();
  }

  end(): void {
    this.#turn++;
    this.#coming?.end();
    this.#run.end();
  }
}
