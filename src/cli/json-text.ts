// JSON as the output formats %j and %J write it: cJSON's layout, key order and duplicate keys kept, numbers as C prints them.
// Works on byte strings (one character a byte, as `latin1` decodes them), so that bytes which are no UTF-8 pass unharmed.

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

/** Deepest nesting accepted. */
const MAX_DEPTH = 1000

/** A byte string in quotes. */
export function quoteJson(bytes: string): string {
  const escaped = bytes.replace(
    /["\\\x00-\x1f]/g,
    (char) => ESCAPES[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `"${escaped}"`
}

/** C's `%.<digits>g`. */
function general(value: number, digits: number): string {
  const [mantissa = '', exponent = '0'] = value.toExponential(digits - 1).split('e')
  const power = Number(exponent)
  const trimmed = (text: string) => (text.includes('.') ? text.replace(/\.?0+$/, '') : text)
  if (power >= -4 && power < digits) return trimmed(value.toFixed(digits - 1 - power))
  return `${trimmed(mantissa)}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
}

/** A number in the fewer of 15 and 17 significant digits that keeps its value; `null` where JSON has no number. */
export function jsonNumber(value: number): string {
  if (!Number.isFinite(value)) return 'null'
  if (Object.is(value, -0)) return '-0'
  const short = general(value, 15)
  return Number(short) === value ? short : general(value, 17)
}

/** Builds JSON text: on one line, or with tabs and a member a line. */
export class JsonWriter {
  private readonly pretty: boolean
  private parts: string[] = []
  private depth = 0
  /** For each open object or array: whether something was written in it. */
  private started: boolean[] = []

  constructor(pretty: boolean) {
    this.pretty = pretty
  }

  get text(): string {
    return this.parts.join('')
  }

  openObject(): void {
    this.parts.push(this.pretty ? '{\n' : '{')
    this.depth++
    this.started.push(false)
  }

  /** The key of the next member, a byte string. */
  key(name: string): void {
    if (this.started.at(-1) === true) this.parts.push(this.pretty ? ',\n' : ',')
    this.started[this.started.length - 1] = true
    this.parts.push(this.indent(), quoteJson(name), this.pretty ? ':\t' : ':')
  }

  closeObject(): void {
    this.depth--
    const isFilled = this.started.pop() === true
    if (this.pretty && isFilled) this.parts.push('\n')
    this.parts.push(this.indent(), '}')
  }

  openArray(): void {
    this.parts.push('[')
    this.depth++
    this.started.push(false)
  }

  /** Comes before each element. */
  element(): void {
    if (this.started.at(-1) === true) this.parts.push(this.pretty ? ', ' : ',')
    this.started[this.started.length - 1] = true
  }

  closeArray(): void {
    this.depth--
    this.started.pop()
    this.parts.push(']')
  }

  /** A value that is JSON already. */
  value(json: string): void {
    this.parts.push(json)
  }

  private indent(): string {
    return this.pretty ? '\t'.repeat(this.depth) : ''
  }
}

/** Reads the one JSON value in `source`, a byte string, and writes it to `writer`. Throws SyntaxError for anything else. */
export function copyJson(source: string, writer: JsonWriter): void {
  const reader = new JsonReader(source, writer)
  reader.copyValue(0)
  reader.finish()
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const BLANKS = /[ \t\n\r]*/y
const WORD = /true|false|null/y

/** Stands for itself in a string; NaN, the end of the text, does not. */
function isStringByte(code: number): boolean {
  return code >= 0x20 && code !== 0x22 && code !== 0x5c
}

class JsonReader {
  private readonly source: string
  private readonly writer: JsonWriter
  private at = 0

  constructor(source: string, writer: JsonWriter) {
    this.source = source
    this.writer = writer
  }

  copyValue(depth: number): void {
    if (depth > MAX_DEPTH) throw new SyntaxError('nested too deep')
    this.match(BLANKS)
    const char = this.source[this.at]
    if (char === '{') this.copyObject(depth)
    else if (char === '[') this.copyArray(depth)
    else if (char === '"') this.writer.value(quoteJson(this.string()))
    else {
      const number = this.match(NUMBER)
      this.writer.value(number === undefined ? this.expect(WORD) : jsonNumber(Number(number)))
    }
    this.match(BLANKS)
  }

  finish(): void {
    if (this.at < this.source.length) throw new SyntaxError('text after the value')
  }

  private copyObject(depth: number): void {
    this.at++
    this.writer.openObject()
    this.match(BLANKS)
    if (!this.skip('}'))
      do {
        this.match(BLANKS)
        this.writer.key(this.string())
        this.match(BLANKS)
        if (!this.skip(':')) throw new SyntaxError('no colon')
        this.copyValue(depth + 1)
      } while (this.next('}'))
    this.writer.closeObject()
  }

  private copyArray(depth: number): void {
    this.at++
    this.writer.openArray()
    this.match(BLANKS)
    if (!this.skip(']'))
      do {
        this.writer.element()
        this.copyValue(depth + 1)
      } while (this.next(']'))
    this.writer.closeArray()
  }

  /** Whether a comma follows, rather than the closing bracket. */
  private next(close: string): boolean {
    if (this.skip(',')) return true
    if (this.skip(close)) return false
    throw new SyntaxError('no comma')
  }

  private skip(char: string): boolean {
    if (this.source[this.at] !== char) return false
    this.at++
    return true
  }

  /** A string's value as a byte string. */
  private string(): string {
    if (!this.skip('"')) throw new SyntaxError('no string')
    let text = ''
    for (;;) {
      const start = this.at
      while (isStringByte(this.source.charCodeAt(this.at))) this.at++
      text += this.source.slice(start, this.at)
      if (this.skip('"')) return text
      text += this.escapes()
    }
  }

  /** The bytes that a run of escapes stands for: a pair of them may be one character. */
  private escapes(): string {
    let run = this.expect(ESCAPE)
    while (this.source[this.at] === '\\') run += this.expect(ESCAPE)
    return Buffer.from(JSON.parse(`"${run}"`)).toString('latin1')
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.source)?.[0]
    if (found !== undefined) this.at += found.length
    return found
  }

  private expect(pattern: RegExp): string {
    const found = this.match(pattern)
    if (found === undefined) throw new SyntaxError('no value')
    return found
  }
}
