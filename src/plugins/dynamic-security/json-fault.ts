// Where a text stops being JSON, which JSON.parse says in some versions of Node only. Made for texts that it has refused.

/** A token, or none. */
const TOKEN =
  /[\t\n\r ]*(?:(?<mark>[{}[\]:,])|(?<text>"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*")|(?<word>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-]))/y

/** What may come next: a value, a name, what ends an object or array, what stands between two things. */
type Expected = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | ', or end' | 'nothing'

/** Line and column, counted from 1, of the first thing in `text` that makes it no JSON. */
export function placeOfFault(text: string): { readonly line: number; readonly column: number } {
  const before = text.slice(0, faultIn(text)).split('\n')
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 }
}

function faultIn(text: string): number {
  const open: ('{' | '[')[] = []
  let expected: Expected = 'value'
  const token = new RegExp(TOKEN)
  for (;;) {
    const start = token.lastIndex
    const { groups } = token.exec(text) ?? {}
    const kind = groups && (groups.mark ?? (groups.text === undefined ? 'word' : 'text'))
    const next: Expected | undefined = kind === undefined ? undefined : after(expected, kind, open)
    if (next === undefined) return start + text.slice(start).search(/[^\t\n\r ]|$/)
    expected = next
  }
}

/** What is expected behind a token; undefined when it should not be there. */
function after(expected: Expected, token: string, open: ('{' | '[')[]): Expected | undefined {
  const done = (): Expected => (open.length === 0 ? 'nothing' : ', or end')
  const close = (): Expected => {
    open.pop()
    return done()
  }
  switch (expected) {
    case 'value':
    case 'value or ]':
      if (token === ']' && expected === 'value or ]') return close()
      if (token === 'word' || token === 'text') return done()
      if (token !== '{' && token !== '[') return undefined
      open.push(token)
      return token === '{' ? 'name or }' : 'value or ]'
    case 'name':
    case 'name or }':
      if (token === '}' && expected === 'name or }') return close()
      return token === 'text' ? ':' : undefined
    case ':':
      return token === ':' ? 'value' : undefined
    case ', or end':
      if (token === ',') return open.at(-1) === '{' ? 'name' : 'value'
      return token === (open.at(-1) === '{' ? '}' : ']') ? close() : undefined
    case 'nothing':
      return undefined
  }
}
