/**
 * xterm writes its colours into `<style>` elements and `style` attributes, which our content security policy forbids for good
 * reason. It is handed a document that turns the former into constructed style sheets and the latter into CSSOM, both of which
 * only script of our own can make.
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

/** An attribute of inline style is what the policy refuses; the same text by CSSOM is not. */
function setAttribute(this: HTMLElement, name: string, value: string): void {
  if (name === 'style') this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}

function create(tag: string): HTMLElement {
  if (tag === 'style') return sheetElement();
  const element = document.createElement(tag);
  if (tag === 'span') element.setAttribute = setAttribute;
  return element;
}

/** The page's document, but for the making of elements. */
export const strictDocument: Document = new Proxy(document, {
  get(target, name) {
    if (name === 'createElement') return create;
    const value: unknown = Reflect.get(target, name, target);
    return typeof value === 'function' ? value.bind(target) : value;
  },
});

/** xterm's scroll bar asks the global document for its `<style>`, once, while the terminal opens. */
export function openStrictly(open: () => void): void {
  const real = document.createElement;
  const made = real.bind(document) as typeof document.createElement;
  document.createElement = ((tag: string, options?: ElementCreationOptions) => (tag === 'style' ? sheetElement() : made(tag, options))) as typeof document.createElement;
  try {
    open();
  } finally {
    document.createElement = real;
  }
}
