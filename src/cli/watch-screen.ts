// The screen of -w: each topic has a row, on which its last message stands (spec: sub.md section 6). Moves the cursor; what is
// printed there is the printer's business.

import type { Output } from './output.js'

const CLEAR = '\x1b[2J\x1b[1;1H'
/** To the end of the row: what an earlier, longer message has left. */
const ERASE_REST = '\x1b[K'
/** Rows given out; later topics share the last one. */
const MOST_ROWS = 10_000

export class WatchScreen {
  private readonly output: Output
  private readonly rows = new Map<string, number>()

  constructor(output: Output) {
    this.output = output
  }

  /** Clears the screen; the broker stands on row 1. */
  open(host: string): void {
    this.output.text(`${CLEAR}Broker: ${host}\n`)
  }

  /** Shows what `print` prints on the row of `topic`. */
  show(topic: string, print: () => void): void {
    const { output, rows } = this
    const row = rows.get(topic) ?? Math.min(rows.size + 2, MOST_ROWS)
    if (row < MOST_ROWS) rows.set(topic, row)
    output.text(`\x1b[${row};1H${ERASE_REST}`)
    print()
    output.text(`\x1b[${rows.size + 1};1H\n`)
  }
}
