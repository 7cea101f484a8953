/** Something that a person asks for and that may fail: one at a time, and its fault stays where it happened. */

import { asProblem, type Problem } from '$lib/api/problem';

export class Attempt {
  busy = $state(false);
  problem = $state.raw<Problem>();

  /** True where it went well. While one runs, another is refused: also one that the first would begin itself. */
  run = async (act: () => Promise<unknown>): Promise<boolean> => {
    if (this.busy) return false;
    this.busy = true;
    this.problem = undefined;
    try {
      await act();
      return true;
    } catch (error) {
      this.problem = asProblem(error);
      return false;
    } finally {
      this.busy = false;
    }
  };

  clear(): void {
    this.problem = undefined;
  }
}
