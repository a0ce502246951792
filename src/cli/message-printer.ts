// How tsmq-sub prints a message: payload alone, topic and payload, or an output format (spec: sub.md section 4); in colour, with
// retained messages marked and JSON laid out, where a person reads it.

import type { Publish } from '../protocol/packets/publish.js'
import { copyJson, JsonWriter } from './json-text.js'
import type { MessageColours } from './message-colours.js'
import { compileFormat, type FormatSink } from './message-format.js'
import { preciseClock } from './message-time.js'
import { escapeControls, type Output } from './output.js'

export interface PrintOptions {
  readonly verbose: boolean
  readonly format: string | undefined
  readonly no_newline: boolean
  readonly pretty: boolean
}

/** What a person sees besides the bytes. */
export interface PrintStyle {
  /** A terminal: retained messages are marked, and `pretty` lays out payloads that are JSON. */
  readonly isTerminal: boolean
  readonly colours: MessageColours | undefined
}

const PLAIN: PrintStyle = { isTerminal: false, colours: undefined }
/** Largest payload that is laid out as JSON. */
const LARGEST_PRETTY = 1_048_576
/** Topics whose bytes are kept. */
const KEPT = 1024
const NEWLINE = Buffer.from('\n')
const NOTHING = Buffer.alloc(0)

export class MessagePrinter implements FormatSink {
  private readonly output: Output
  private readonly newline: Buffer
  private readonly verbose: boolean
  private readonly format: ReturnType<typeof compileFormat> | undefined
  private readonly colours: MessageColours | undefined
  private readonly marksRetained: boolean
  private readonly laysOutJson: boolean
  /** What `-v` prints in front of a payload. */
  private readonly fronts = new Map<string, Buffer>()

  /** @throws UsageError */
  constructor(options: PrintOptions, output: Output, onProblem: (text: string) => void, style: PrintStyle = PLAIN) {
    const { format, pretty } = options
    this.output = output
    this.newline = options.no_newline ? NOTHING : NEWLINE
    this.verbose = options.verbose
    this.format = format === undefined ? undefined : compileFormat(format, { pretty, now: preciseClock(), onProblem })
    this.colours = style.colours
    this.marksRetained = style.isTerminal
    this.laysOutJson = style.isTerminal && pretty
  }

  print(topic: string, packet: Publish): void {
    const isEmpty = packet.payloadStart === packet.payloadEnd
    if (this.format !== undefined) this.format(topic, packet, this)
    else if (this.verbose) {
      if (isEmpty && this.newline.length === 0) return
      this.front(topic, packet.retain && this.marksRetained)
      if (isEmpty) this.output.text('(null)')
      else this.payload(packet)
    } else if (isEmpty) return
    else this.payload(packet)
    this.output.raw(this.newline, 0, this.newline.length)
  }

  private front(topic: string, isMarked: boolean): void {
    const key = isMarked ? `+${topic}` : topic // No topic begins like this.
    let front = this.fronts.get(key)
    if (front === undefined) {
      const { colours, output, fronts } = this
      const shown = output.shown(topic)
      const mark = isMarked ? ` ${colours?.retained ?? '[retained]'}` : ''
      front = Buffer.from(`${colours?.topic(shown) ?? shown}${mark} `)
      if (fronts.size >= KEPT) fronts.clear()
      fronts.set(key, front)
    }
    this.output.raw(front, 0, front.length)
  }

  private payload(packet: Publish): void {
    const { bytes, payloadStart, payloadEnd } = packet
    const layout = this.laysOutJson ? prettyJson(packet.payload) : undefined
    if (layout === undefined) this.output.received(bytes, payloadStart, payloadEnd)
    else this.json(layout)
  }

  bytes(bytes: string): void {
    this.output.bytes(bytes)
  }

  receivedBytes(bytes: string): void {
    this.output.receivedBytes(bytes)
  }

  json(bytes: string): void {
    const { colours, output } = this
    if (colours === undefined) output.receivedBytes(bytes)
    else output.text(colours.json(escapeControls(Buffer.from(bytes, 'latin1'))))
  }
}

/** An object or array over several lines, a byte string; undefined for anything else. */
function prettyJson(payload: Buffer): string | undefined {
  if (payload.length > LARGEST_PRETTY || !/^\s*[[{]/.test(payload.toString('latin1', 0, 100))) return undefined
  const writer = new JsonWriter(true)
  try {
    copyJson(payload.toString('latin1'), writer)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  return writer.text
}
