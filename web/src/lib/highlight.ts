/** A small highlighter for reading scripts: quick enough for the authorization panel, which must not wait for the editor. */

export type Word = 'c' | 's' | 'k' | 'v' | 'f' | '';
export interface Token {
  kind: Word;
  text: string;
}

type Rule = [Word, RegExp];

const words = (text: string): RegExp => new RegExp(`(?:${text.trim().split(/\s+/).join('|')})(?![\\w-])`, 'y');

const SHELL: Rule[] = [
  ['c', /(?<=^|[\s;(])#[^\n]*/my],
  ['s', /'[^']*'?/y],
  ['v', /\$\{[^}\n]*\}?|\$[\w@*#?$!-]/y],
  ['k', words('if then elif else fi for in do done while until case esac function return exit set local export readonly declare trap source shift break continue')],
  ['f', /(?<=^[ \t]*|[|;&(]\s*|\bthen\s+|\bdo\s+|\belse\s+)[A-Za-z_][\w.+-]*(?![\w=])/my],
];

/** Inside of double quotes: variables keep their colour, a quote ends it. */
const QUOTED: Rule[] = [
  ['v', /\$\{[^}\n]*\}?|\$[\w@*#?$!-]/y],
  ['s', /(?:\\[\s\S]|[^"\\$])+|\$/y],
];

const PYTHON: Rule[] = [
  ['c', /#[^\n]*/y],
  ['s', /[rbfuRBFU]{0,2}(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)/y],
  ['k', words('False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield match case')],
  ['f', /[A-Za-z_]\w*(?=\()/y],
  ['v', /\b\d[\w.]*/y],
];

const POWERSHELL: Rule[] = [
  ['c', /<#[\s\S]*?(?:#>|$)|#[^\n]*/y],
  ['s', /@'[\s\S]*?(?:\n'@|$)|@"[\s\S]*?(?:\n"@|$)|'(?:''|[^'])*'?|"(?:`.|""|[^"`])*"?/y],
  ['v', /\$(?:\{[^}]*\}|[\w:]+)/y],
  ['k', /(?:if|elseif|else|foreach|for|while|do|until|switch|function|param|return|exit|try|catch|finally|throw|begin|process|end|in)(?![\w-])/iy],
  ['f', /[A-Za-z]+-[A-Za-z]+/y],
];

const RULES: Record<string, Rule[]> = { bash: SHELL, sh: SHELL, python3: PYTHON, pwsh: POWERSHELL };

const PLAIN = /[A-Za-z_][\w-]*|\s+|[\s\S]/y;

function nextToken(rules: Rule[], text: string, at: number): Token {
  for (const [kind, rule] of rules) {
    rule.lastIndex = at;
    const found = rule.exec(text);
    if (found?.[0]) return { kind, text: found[0] };
  }
  PLAIN.lastIndex = at;
  return { kind: '', text: PLAIN.exec(text)?.[0] ?? text.charAt(at) };
}

/** Tokens by line; joined together they are exactly the text. */
export function highlighted(text: string, interpreter: string): Token[][] {
  const rules = RULES[interpreter] ?? [];
  const lines: Token[][] = [[]];
  let quoted = false;
  for (let at = 0; at < text.length; ) {
    const quote = rules === SHELL && text.charAt(at) === '"';
    if (quote) quoted = !quoted;
    const token: Token = quote ? { kind: 's', text: '"' } : nextToken(quoted ? QUOTED : rules, text, at);
    at += token.text.length;
    for (const [part, piece] of token.text.split('\n').entries()) {
      if (part > 0) lines.push([]);
      const line = lines.at(-1);
      const last = line?.at(-1);
      if (last && last.kind === token.kind) last.text += piece;
      else if (piece) line?.push({ kind: token.kind, text: piece });
    }
  }
  return lines;
}
