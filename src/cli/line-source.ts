// Messages that are read line by line, as fast as they can be sent: payloads (-l), topics and payloads (--topic-separator), JSON
// objects (--ndjson). The first line that is no message ends it: what comes behind it may depend on it.

import type { ByteInput } from './byte-input.js'
import { checkTopic } from './client-setup.js'
import { type JsonMessage, JsonMessageError, parseJsonMessage } from './json-message.js'
import { LineError } from './line-error.js'
import { LineReader } from './line-reader.js'
import type { MessageDefaults, MessageSink, MessageSource, OutgoingMessage } from './message-source.js'

/** Publishes the line bytes[start..end); returns false when there is to be no other for now. @throws LineError, JsonMessageError */
export type LineTaker = (sink: MessageSink, bytes: Buffer, start: number, end: number) => boolean

export class LineSource implements MessageSource {
  private readonly reader: LineReader
  private readonly input: ByteInput
  private readonly take: LineTaker
  private sink: MessageSink | undefined = undefined
  private count = 0

  constructor(input: ByteInput, take: LineTaker) {
    this.input = input
    this.take = take
    this.reader = new LineReader(input, {
      onLine: (bytes, start, end) => this.onLine(bytes, start, end),
      onEnd: () => this.sink?.end(),
      onError: (error) => this.sink?.fail(error.message),
    })
  }

  get progress(): string | undefined {
    return this.input.isTyped ? undefined : `publishing line ${this.count}`
  }

  start(sink: MessageSink): void {
    this.sink = sink
    this.reader.start()
  }

  private onLine(bytes: Buffer, start: number, end: number): void {
    if (this.sink === undefined) return
    this.count++
    try {
      if (!this.take(this.sink, bytes, start, end)) this.hold()
    } catch (error) {
      if (!(error instanceof LineError || error instanceof JsonMessageError)) throw error
      this.sink.fail(`${this.input.name}, line ${this.count}: ${error.message}`)
    }
  }

  hold(): void {
    this.reader.hold()
  }

  resume(): void {
    this.reader.resume()
  }

  onSettled(): void {
    // Lines do not wait for each other.
  }

  stop(): void {
    this.sink = undefined
    this.reader.stop()
  }
}

/** Where a line ends for mosquitto_pub, whose lines are C strings. */
function endOfText(bytes: Buffer, start: number, end: number): number {
  let at = start
  while (at < end && bytes[at] !== 0) at++
  return at
}

/** Each line is a payload for the one topic. */
export function payloadLines(): LineTaker {
  let message: OutgoingMessage | undefined
  return (sink, bytes, start, end) => {
    message ??= { ...sink.defaults, topic: sink.defaults.topic ?? '' }
    return sink.publish(message, bytes, start, endOfText(bytes, start, end))
  }
}

/** Each line is a topic, the separator, and a payload; without the separator, a payload for the one topic. */
export function topicLines(separator: string): LineTaker {
  const mark = Buffer.from(separator)
  return (sink, bytes, start, end) => {
    const { defaults } = sink
    const last = endOfText(bytes, start, end)
    const line = bytes.subarray(start, last)
    const at = line.indexOf(mark)
    const topic = at < 0 ? defaults.topic : line.toString('utf8', 0, at)
    if (topic === undefined) throw new LineError(`no '${separator}' in it, and no topic is given with -t`)
    checkName(topic)
    return sink.publish({ ...defaults, topic }, bytes, at < 0 ? start : start + at + mark.length, last)
  }
}

/** Each line is a JSON object; an empty one is nothing. */
export function jsonLines(): LineTaker {
  return (sink, bytes, start, end) => {
    const message = readJsonLine(bytes.subarray(start, end))
    return message === undefined || publishJson(sink, message, message.topic)
  }
}

/** Undefined for an empty line. @throws JsonMessageError */
export function readJsonLine(line: Buffer): JsonMessage | undefined {
  const isBlank = line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d)
  return isBlank ? undefined : parseJsonMessage(line)
}

/** Publishes `message` to `topic`; what is missing is filled in. @throws LineError */
export function publishJson(sink: MessageSink, message: JsonMessage, topic: string | undefined): boolean {
  const { defaults } = sink
  const { payload, qos = defaults.qos, retain = defaults.retain } = message
  const name = topic ?? defaults.topic
  if (name === undefined) throw new LineError('no topic, and none is given with -t')
  checkName(name)
  return sink.publish(
    { topic: name, qos, retain, properties: propertiesOf(message, defaults) },
    payload,
    0,
    payload.length,
  )
}

function propertiesOf({ properties }: JsonMessage, defaults: MessageDefaults): MessageDefaults['properties'] {
  return Object.keys(properties).length === 0 ? defaults.properties : { ...defaults.properties, ...properties }
}

/** @throws LineError */
function checkName(topic: string): void {
  if (topic === '') throw new LineError('the topic is empty')
  if (Buffer.byteLength(topic) > 65_535) throw new LineError('the topic is longer than 65535 bytes')
  try {
    checkTopic('topic', topic)
  } catch (error) {
    throw new LineError(error instanceof Error ? error.message : String(error))
  }
}
