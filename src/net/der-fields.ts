// The few fields of a certificate and of a revocation list that Node does not tell (RFC 5280 sections 4.1 and 5.1): walks the DER
// just as far as they are. Nothing is verified here.

/** One value of DER: its tag, its content, and all of it. */
interface Element {
  readonly tag: number
  readonly content: Buffer
  readonly whole: Buffer
}

/** Of a revocation list. Times are ms since 1970. */
export interface RevocationList {
  /** The name of the authority, as DER. */
  readonly issuer: Buffer
  readonly thisUpdate: number
  /** Undefined when the list does not say. */
  readonly nextUpdate: number | undefined
  /** Serial numbers, as Node writes them: in upper-case hexadecimal digits. */
  readonly revoked: ReadonlySet<string>
}

const Tag = { INTEGER: 0x02, SEQUENCE: 0x30, UTC_TIME: 0x17, GENERALIZED_TIME: 0x18, VERSION: 0xa0 } as const

/** @throws RangeError when it is none */
export function readRevocationList(der: Buffer): RevocationList {
  const fields = elements(inner(inner(der))).filter(({ tag }, at) => at > 0 || tag !== Tag.INTEGER)
  const [, issuer, thisUpdate, nextUpdate] = fields
  if (issuer === undefined || thisUpdate === undefined) throw new RangeError('not a revocation list')
  const next = nextUpdate && timeOf(nextUpdate)
  const entries = fields.slice(3).find(({ tag }) => tag === Tag.SEQUENCE)
  const revoked = new Set(entries && elements(entries.content).map(({ content }) => serialIn(content)))
  return { issuer: issuer.whole, thisUpdate: timeOf(thisUpdate) ?? Number.NaN, nextUpdate: next, revoked }
}

/** The number that an entry of a revocation list begins with. */
function serialIn(entry: Buffer): string {
  return inner(entry)
    .toString('hex')
    .toUpperCase()
    .replace(/^(00)+(?=..)/, '')
}

/** The subject of a certificate, as DER. @throws RangeError when it is none */
export function subjectOf(der: Buffer): Buffer {
  return certificateField(der, 4)
}

/** Who has signed a certificate, as DER. @throws RangeError when it is none */
export function issuerOf(der: Buffer): Buffer {
  return certificateField(der, 2)
}

function certificateField(der: Buffer, at: number): Buffer {
  const fields = elements(inner(inner(der))).filter(({ tag }, index) => index > 0 || tag !== Tag.VERSION)
  const field = fields[at]
  if (field === undefined) throw new RangeError('not a certificate')
  return field.whole
}

/** The content of the first element in `der`. */
function inner(der: Buffer): Buffer {
  const [first] = elements(der)
  if (first === undefined) throw new RangeError('empty')
  return first.content
}

function elements(der: Buffer): readonly Element[] {
  const found: Element[] = []
  for (let at = 0; at < der.length; ) {
    const tag = der.readUInt8(at)
    const short = der.readUInt8(at + 1)
    const lengthBytes = short < 0x80 ? 0 : short & 0x7f
    const start = at + 2 + lengthBytes
    const length = lengthBytes === 0 ? short : der.readUIntBE(at + 2, lengthBytes)
    if (start + length > der.length) throw new RangeError('cut short')
    found.push({ tag, content: der.subarray(start, start + length), whole: der.subarray(at, start + length) })
    at = start + length
  }
  return found
}

/** YYMMDDhhmmssZ or YYYYMMDDhhmmssZ. */
function timeOf({ tag, content }: Element): number | undefined {
  if (tag !== Tag.UTC_TIME && tag !== Tag.GENERALIZED_TIME) return undefined
  const text = content.toString('latin1')
  const full = tag === Tag.UTC_TIME ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full) ?? []
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}
