// Ctrl-C and kill as a request to end cleanly, with the status that a shell gives to a command ended by the signal. The second one
// ends the process at once.

/** Their numbers, the same on every system. */
const NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const

/** Calls `end` with the status when the first signal comes. Returns a function after which signals are as they were. */
export function onInterrupt(end: (status: number) => void): () => void {
  const stop = () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  const onSignal = (signal: NodeJS.Signals) => {
    stop()
    end(128 + NUMBERS[signal as keyof typeof NUMBERS])
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return stop
}
