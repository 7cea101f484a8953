/** Short words about something that went well. Errors stay where they happened instead. */

export interface Toast {
  id: number;
  text: string;
}

const SHOWN_MS = 5000;

class Toasts {
  list = $state<Toast[]>([]);
  #next = 1;

  say(text: string): void {
    const id = this.#next++;
    this.list = [...this.list.slice(-2), { id, text }];
    setTimeout(() => this.drop(id), SHOWN_MS);
  }

  drop(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
