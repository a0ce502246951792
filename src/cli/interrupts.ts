// Ctrl-C and kill as a request to end cleanly, with the status that a shell gives to a command ended by the signal. The second one
// ends the process at once.

import { constants } from 'node:os'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** Calls `end` with the status when the first signal comes. Returns a function after which signals are as they were. */
export function onInterrupt(end: (status: number) => void): () => void {
  const stop = () => {
    for (const signal of SIGNALS) process.off(signal, onSignal)
  }
  const onSignal = (signal: (typeof SIGNALS)[number]) => {
    stop()
    end(128 + constants.signals[signal])
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  return stop
}
