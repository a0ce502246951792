// How one field of an output format is laid out: width, precision, alignment, padding, hexadecimal, C's floating point.
// Byte strings in and out, one character a byte: widths count bytes, not characters (sub.md section 4.1).

/** What stood between `%` and the conversion's letter. */
export interface FieldLayout {
  /** `-`: to the left, padded behind. */
  readonly left: boolean
  /** `0`: padded with zeros where the conversion allows it. */
  readonly zeros: boolean
  /** Bytes, or undefined when not given. */
  readonly width: number | undefined
  readonly precision: number | undefined
  /** Between groups of hexadecimal digits; a space when not given. */
  readonly separator: string
}

/** `text` with blanks (or zeros, never behind it) up to the width. */
export function pad(text: string, layout: FieldLayout, fill: ' ' | '0' = ' '): string {
  const width = layout.width ?? 0
  if (text.length >= width) return text
  return layout.left ? text.padEnd(width, ' ') : text.padStart(width, fill)
}

/** The fill of a conversion that takes the `0` flag. */
export function numericFill(layout: FieldLayout): ' ' | '0' {
  return layout.zeros && !layout.left ? '0' : ' '
}

/** Text: at least the width, at most the precision. */
export function layoutText(bytes: string, layout: FieldLayout): string {
  return pad(layout.precision === undefined ? bytes : bytes.slice(0, layout.precision), layout)
}

/** The payload: width is both the least and the most. `-` without a width pads by the payload's own length, as mosquitto_sub does. */
export function layoutPayload(bytes: string, layout: FieldLayout): string {
  if (layout.width === undefined) return layout.left ? bytes + ' '.repeat(bytes.length) : bytes
  return pad(bytes.slice(0, layout.width), layout, numericFill(layout))
}

/** The payload in hexadecimal: at most `width` bytes, at least `width` characters; a separator after every `precision` digits. */
export function layoutHex(bytes: string, layout: FieldLayout, upper: boolean): string {
  const { width } = layout
  const cut = width === undefined ? bytes : bytes.slice(0, width)
  const digits = Buffer.from(cut, 'latin1').toString('hex')
  const shown = upper ? digits.toUpperCase() : digits
  if (layout.left)
    return grouped(shown, layout) + ' '.repeat(Math.max(0, width === undefined ? cut.length : width - shown.length))
  return grouped(pad(shown, layout, numericFill(layout)), layout)
}

function grouped(digits: string, layout: FieldLayout): string {
  const size = layout.precision ?? 0
  if (size === 0) return digits
  const groups: string[] = []
  for (let at = 0; at < digits.length; at += size) groups.push(digits.slice(at, at + size))
  return groups.join(layout.separator)
}

/** A floating-point number as C's `%f` writes it. */
export function layoutFloat(value: number, layout: FieldLayout): string {
  if (!Number.isFinite(value)) return pad(Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf', layout)
  const isNegative = value < 0 || Object.is(value, -0)
  const digits = fixed(Math.abs(value), Math.min(layout.precision ?? 6, 100))
  const sign = isNegative ? '-' : ''
  if (numericFill(layout) === '0') return sign + digits.padStart((layout.width ?? 0) - sign.length, '0')
  return pad(sign + digits, layout)
}

/** `value` with `precision` decimals, ties to even: toFixed rounds ties up and gives up at 1e21. */
function fixed(value: number, precision: number): string {
  const whole = value >= 1e21 ? BigInt(value).toString() : undefined
  if (whole !== undefined) return precision === 0 ? whole : `${whole}.${'0'.repeat(precision)}`
  const rounded = value.toFixed(precision)
  const exact = value.toFixed(100)
  const cut = exact.indexOf('.') + 1 + precision
  const isTie = /^50*$/.test(exact.slice(cut))
  if (!isTie) return rounded
  const down = exact.slice(0, precision === 0 ? cut - 1 : cut)
  return Number(down.at(-1)) % 2 === 0 ? down : rounded
}
