/** What was dropped or chosen: files with their paths below the folder that they go into. */

export interface Dropped {
  file: File;
  /** With folders: `photos/2026/a.jpg`. */
  path: string;
}

export async function filesOf(transfer: DataTransfer): Promise<Dropped[]> {
  // All must be taken at once: the list is empty after the event. What another program hands over lies in no file system.
  const carried = [...transfer.items].filter((item) => item.kind === 'file').map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const found: Dropped[] = [];
  for (const one of carried) {
    if (one instanceof File) found.push({ file: one, path: one.name });
    else if (one) await gather(one, '', found);
  }
  return found;
}

export const chosen = (list: FileList): Dropped[] => [...list].map((file) => ({ file, path: file.webkitRelativePath || file.name }));

async function gather(entry: FileSystemEntry, above: string, found: Dropped[]): Promise<void> {
  const path = above ? `${above}/${entry.name}` : entry.name;
  if (entry.isFile) {
    const file = await new Promise<File>((take, fail) => (entry as FileSystemFileEntry).file(take, fail));
    found.push({ file, path });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // Browsers hand out a hundred at a time.
    const batch = await new Promise<FileSystemEntry[]>((take, fail) => reader.readEntries(take, fail));
    if (batch.length === 0) return;
    for (const one of batch) await gather(one, path, found);
  }
}

/** The folders that must be there first, the outer ones before the inner ones. */
export function foldersOf(paths: string[]): string[] {
  const folders = new Set<string>();
  for (const path of paths) {
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth++) folders.add(parts.slice(0, depth).join('/'));
  }
  return [...folders].sort((left, right) => left.split('/').length - right.split('/').length || left.localeCompare(right));
}
