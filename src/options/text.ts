// Texts, for the other files here: the result of reading one, the words of a line, which are fit for use, and how to show them.
// Blanks between words are spaces; a TAB is part of its word, as in mosquitto.conf.

/** A value, perhaps with something worth saying about it, or what is wrong with the text. */
export type Parsed<V> = { readonly value: V; readonly warning?: string | undefined } | { readonly problem: string }

export function value<V>(of: V, warning?: string): { readonly value: V; readonly warning?: string | undefined } {
  return { value: of, warning }
}

export function problem(reason: string): { readonly problem: string } {
  return { problem: reason }
}

export function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '')
}

export function firstWord(text: string): string {
  return words(text)[0] ?? ''
}

/** The text in quotes, on one line and not too long, for a message. */
export function quoted(text: string): string {
  const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text
  return `'${shown.replace(/[\x00-\x1f\x7f-\x9f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)}'`
}

/** Without control characters, lone surrogates and Unicode non-characters. */
export function isWellFormed(text: string): boolean {
  return !/[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u.test(text)
}

/** Lines of at most `width` columns, longer only where a word is. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
