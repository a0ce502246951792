// The time of a message as the clients write it: local, with offset, as fine as the machine tells. Formats of a user's own are in
// strftime.ts.

import { strftime, zoneOffset } from './strftime.js'

/** ms since 1970 with a fraction: the monotonic clock, set right whenever the system's has been changed. */
export function preciseClock(): () => number {
  let origin = performance.timeOrigin
  return () => {
    const system = Date.now()
    const precise = origin + performance.now()
    if (Math.abs(precise - system) < 2) return precise
    origin += system - precise
    return system
  }
}

/** The nine digits behind the second. */
export function nanoseconds(ms: number): string {
  return String(Math.floor((ms % 1000) * 1e6)).padStart(9, '0')
}

function localSeconds(date: Date): string {
  return `${strftime('F', date)}T${strftime('T', date)}`
}

/** `YYYY-MM-DDTHH:MM:SS±hhmm` */
export function isoSeconds(ms: number): string {
  const date = new Date(ms)
  return localSeconds(date) + zoneOffset(date)
}

/** `YYYY-MM-DDTHH:MM:SS.ffffff±hhmm`, the `tst` of JSON. */
export function isoMicroseconds(ms: number): string {
  const date = new Date(ms)
  return `${localSeconds(date)}.${nanoseconds(ms).slice(0, 6)}${zoneOffset(date)}`
}
