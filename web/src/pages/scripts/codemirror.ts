/** CodeMirror, in a shadow root: its styles are then constructed sheets, which need no inline style and no nonce. */

import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, StreamLanguage, syntaxHighlighting } from '@codemirror/language';
import { python } from '@codemirror/lang-python';
import { powerShell } from '@codemirror/legacy-modes/mode/powershell';
import { shell } from '@codemirror/legacy-modes/mode/shell';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { Compartment, EditorState, type Extension } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';

export interface EditorHandle {
  setText(text: string): void;
  setLanguage(interpreter: string): void;
  focus(): void;
  destroy(): void;
}

interface Wanted {
  text: string;
  interpreter: string;
  label: string;
  onchange: (text: string) => void;
}

const colours = HighlightStyle.define([
  { tag: [tags.comment, tags.meta], color: 'var(--code-comment)' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'var(--code-string)' },
  { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword, tags.bool, tags.null, tags.definitionKeyword], color: 'var(--code-word)' },
  { tag: [tags.special(tags.variableName), tags.definition(tags.variableName), tags.number, tags.attributeName], color: 'var(--code-var)' },
  { tag: [tags.standard(tags.variableName), tags.function(tags.variableName), tags.standard(tags.name), tags.className], color: 'var(--code-name)' },
]);

const look = EditorView.theme({
  '&': { height: '100%', backgroundColor: 'var(--code-bg)', color: 'var(--text)', fontSize: 'var(--text-13)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--font-mono)', lineHeight: '1.55', fontFeatureSettings: '"zero", "calt" 0', overflow: 'auto' },
  '.cm-content': { caretColor: 'var(--text)', padding: '0.75rem 0' },
  '.cm-cursor': { borderInlineStartColor: 'var(--text)' },
  '.cm-gutters': { backgroundColor: 'var(--code-bg)', color: 'var(--text-3)', border: 'none', paddingInlineStart: '0.75rem' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'color-mix(in srgb, var(--accent) 7%, transparent)' },
  '.cm-activeLineGutter': { color: 'var(--text)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'var(--term-select)' },
  '.cm-matchingBracket': { outline: '1px solid var(--accent-line)', backgroundColor: 'var(--accent-bg)' },
  '.cm-selectionMatch': { backgroundColor: 'var(--warn-bg)' },
  '.cm-panels': { backgroundColor: 'var(--surface-2)', color: 'var(--text)', borderColor: 'var(--line)' },
  '.cm-panels input': { backgroundColor: 'var(--surface)', color: 'var(--text)', border: '1px solid var(--line-control)' },
  '.cm-panels button': { backgroundImage: 'none', backgroundColor: 'var(--surface-3)', color: 'var(--text)', border: '1px solid var(--line-2)' },
});

function languageOf(interpreter: string): Extension {
  if (interpreter === 'python3') return [python(), indentUnit.of('    ')];
  if (interpreter === 'pwsh') return StreamLanguage.define(powerShell);
  return StreamLanguage.define(shell);
}

/** Escape, then Tab, leaves the editor: the keyboard is never caught in it (WCAG 2.1.2). */
const basics = (label: string): Extension => [
  lineNumbers(),
  history(),
  drawSelection(),
  indentOnInput(),
  bracketMatching(),
  highlightActiveLine(),
  highlightActiveLineGutter(),
  highlightSelectionMatches(),
  syntaxHighlighting(colours),
  look,
  keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap, indentWithTab]),
  EditorState.tabSize.of(4),
  EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0', spellcheck: 'false', autocapitalize: 'off' }),
];

export function openEditor(host: HTMLElement, wanted: Wanted): EditorHandle {
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
  const language = new Compartment();
  const changes = EditorView.updateListener.of((update) => {
    if (update.docChanged) wanted.onchange(update.state.doc.toString());
  });
  const state = EditorState.create({ doc: wanted.text, extensions: [basics(wanted.label), language.of(languageOf(wanted.interpreter)), changes] });
  const view = new EditorView({ state, root, parent: root });
  let spoken = wanted.interpreter;
  return {
    setText(text) {
      if (text !== view.state.doc.toString()) view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
    },
    setLanguage(interpreter) {
      if (interpreter === spoken) return;
      spoken = interpreter;
      view.dispatch({ effects: language.reconfigure(languageOf(interpreter)) });
    },
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}
