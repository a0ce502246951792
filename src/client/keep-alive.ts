// When a client has to ping and when it must take its broker for dead. Goes by what it sent: receiving does not keep a connection
// alive (MQTT 5.0 section 3.1.2.10). Knows no timer: its owner calls `tick` four times in each keep-alive interval.

const TICKS = 4

export type KeepAliveAction = 'wait' | 'ping' | 'dead'

export class KeepAlive {
  /** ms between two ticks. */
  readonly tickMs: number
  private sent = 0
  private received = 0
  private quietTicks = 0
  /** Ticks since something was expected that has not come; -1 when nothing is. */
  private waitedTicks = -1

  /** @param seconds the interval, more than 0. */
  constructor(seconds: number) {
    this.tickMs = (seconds * 1000) / TICKS
  }

  /** An answer must come within the interval: anything received is one. */
  expectAnswer(): void {
    this.waitedTicks = 0
  }

  /**
   * What to do now: 'ping' when nothing was sent for so long that the next tick would be too late [MQTT-3.1.2-20], 'dead' when
   * an answer has not come for a whole interval.
   * @param isReading false while received bytes wait unread, so that an answer may be among them.
   */
  tick(bytesSent: number, bytesReceived: number, isReading: boolean): KeepAliveAction {
    if (bytesReceived !== this.received || !isReading) {
      this.received = bytesReceived
      this.waitedTicks = -1
    } else if (this.waitedTicks >= 0 && ++this.waitedTicks >= TICKS) return 'dead'
    const wasQuiet = bytesSent === this.sent
    this.sent = bytesSent
    this.quietTicks = wasQuiet ? this.quietTicks + 1 : 0
    if (this.quietTicks < TICKS - 1) return 'wait'
    this.quietTicks = 0
    return 'ping'
  }
}
