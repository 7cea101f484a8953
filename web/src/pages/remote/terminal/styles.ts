/**
 * xterm writes its colours into `<style>` elements and `style` attributes, which our content security policy forbids for good
 * reason. Here the former become constructed style sheets and the latter CSSOM: both can only be made by script of our own.
 */

/** Stands where xterm expects its `<style>`; its text becomes a constructed sheet. */
function sheetElement(): HTMLElement {
  const sheet = new CSSStyleSheet();
  const element = document.createElement('span');
  element.hidden = true;
  document.adoptedStyleSheets.push(sheet);
  Object.defineProperty(element, 'textContent', { set: (css: string) => sheet.replaceSync(css), get: () => '' });
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet);
    Element.prototype.remove.call(element);
  };
  return element;
}

/** Cells of other colours than the sixteen are spans with a `style` attribute: the same text goes by CSSOM. */
HTMLSpanElement.prototype.setAttribute = function (this: HTMLSpanElement, name: string, value: string): void {
  if (name === 'style') this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
};

/** xterm makes all of its `<style>` elements while a terminal opens. */
export function openStrictly(open: () => void): void {
  const real = document.createElement;
  const made = real.bind(document) as (tag: string, options?: ElementCreationOptions) => HTMLElement;
  document.createElement = ((tag: string, options?: ElementCreationOptions) => (tag === 'style' ? sheetElement() : made(tag, options))) as typeof document.createElement;
  try {
    open();
  } finally {
    document.createElement = real;
  }
}
