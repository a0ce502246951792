// SIGRTMIN, which Mosquitto's log rotation uses and Node has no name for. The handle is the one beneath Node's own signals.

/** Its number with glibc and with musl; on each system the other one is harmless. */
const NUMBERS = [34, 35] as const

interface SignalHandle {
  onsignal: () => void
  /** Returns 0, or an error of the system. */
  start(signal: number): number
  unref(): void
}

interface Bindings {
  binding?(name: string): { readonly Signal?: new () => SignalHandle }
}

/** Calls `act` whenever the process gets SIGRTMIN. Without effect where there is no such signal or Node keeps it to itself. */
export function onRealTimeSignal(act: () => void): void {
  if (process.platform !== 'linux') return
  const { noDeprecation = false } = process
  try {
    // Node warns of every use of what lies beneath it; the user can do nothing about it.
    process.noDeprecation = true
    const { Signal } = (process as Bindings).binding?.('signal_wrap') ?? {}
    if (Signal === undefined) return
    for (const number of NUMBERS) {
      const handle = new Signal()
      handle.unref()
      handle.onsignal = act
      handle.start(number)
    }
  } catch {
    // Another Node, 26 for one: the signal keeps its default, which ends the process.
  } finally {
    process.noDeprecation = noDeprecation
  }
}
