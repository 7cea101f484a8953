/** Hands a text over as a file. */
export const saveText = (name: string, text: string, type = 'text/plain'): void => saveBlob(name, new Blob([text], { type: `${type};charset=utf-8` }));

/** Hands bytes over as a file. */
export function saveBlob(name: string, blob: Blob): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
