/** An entry that is dragged out of the list with the mouse: to the place that downloads, or into a folder of the list. */

import type { FileEntry } from '$lib/remote/files';

export type Goal = FileEntry | 'download';

export class Carried {
  entry = $state.raw<FileEntry>();
  /** What it hangs over. */
  over = $state.raw<Goal>();
  #soon: ReturnType<typeof setTimeout> | undefined;

  begin(event: DragEvent, entry: FileEntry, path: string): void {
    if (!event.dataTransfer) return;
    event.dataTransfer.effectAllowed = 'copyMove';
    event.dataTransfer.setData('text/plain', path);
    // A browser whose page changes in the middle of the event lets go of what it was about to carry.
    this.#soon = setTimeout(() => (this.entry = entry));
  }

  end = (): void => {
    clearTimeout(this.#soon);
    [this.entry, this.over] = [undefined, undefined];
  };

  /** What is carried may be let go here: not on itself, and not on what is no folder. */
  hover(event: DragEvent, goal: Goal): void {
    if (!this.entry || (goal !== 'download' && (goal.kind !== 'folder' || goal.name === this.entry.name))) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = goal === 'download' ? 'copy' : 'move';
    this.over = goal;
  }

  /** Going over from one part of the goal to another leaves nothing. */
  leave(event: DragEvent, goal: Goal): void {
    const within = event.currentTarget instanceof Node && event.relatedTarget instanceof Node && event.currentTarget.contains(event.relatedTarget);
    if (this.over === goal && !within) this.over = undefined;
  }

  /** What was let go, and was carried here. */
  drop(event: DragEvent): FileEntry | undefined {
    const { entry } = this;
    if (entry) event.preventDefault();
    this.end();
    return entry;
  }
}
