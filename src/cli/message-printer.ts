// How tsmq-sub prints a message: payload alone, topic and payload, or an output format (spec: sub.md section 4).

import type { Publish } from '../protocol/packets/publish.js'
import { compileFormat } from './message-format.js'
import type { Output } from './output.js'

export interface PrintOptions {
  readonly verbose: boolean
  readonly format: string | undefined
  readonly no_newline: boolean
  readonly pretty: boolean
}

/** ms since 1970 with a fraction: the monotonic clock, set right whenever the system's has been changed. */
function preciseClock(): () => number {
  let origin = performance.timeOrigin
  return () => {
    const system = Date.now()
    const precise = origin + performance.now()
    if (Math.abs(precise - system) < 2) return precise
    origin += system - precise
    return system
  }
}

export class MessagePrinter {
  private readonly output: Output
  private readonly newline: string
  private readonly verbose: boolean
  private readonly format: ReturnType<typeof compileFormat> | undefined

  /** @throws FormatError */
  constructor(options: PrintOptions, output: Output, onProblem: (text: string) => void) {
    const { format, pretty } = options
    this.output = output
    this.newline = options.no_newline ? '' : '\n'
    this.verbose = options.verbose
    this.format = format === undefined ? undefined : compileFormat(format, { pretty, now: preciseClock(), onProblem })
  }

  print(topic: string, packet: Publish): void {
    const { output } = this
    const isEmpty = packet.payloadStart === packet.payloadEnd
    if (this.format !== undefined) {
      this.format(topic, packet, output)
      output.text(this.newline)
    } else if (this.verbose) {
      if (isEmpty && this.newline === '') return
      output.receivedText(topic)
      output.text(' ')
      if (isEmpty) output.text('(null)')
      else output.received(packet.bytes, packet.payloadStart, packet.payloadEnd)
      output.text(this.newline)
    } else if (!isEmpty) {
      output.received(packet.bytes, packet.payloadStart, packet.payloadEnd)
      output.text(this.newline)
    }
  }
}
