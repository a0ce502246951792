// CPU time and memory of another process: from /proc where there is one, otherwise from `ps`.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

const hasProc = existsSync('/proc/self/stat')
/** Linux reports times to user space in hundredths of a second on every architecture Node runs on. */
const TICKS_PER_SECOND = 100

/** CPU seconds, user and system, that process `pid` has used; 0 when it cannot be told. */
export function cpuSeconds(pid: number): number {
  if (!hasProc) return secondsOf(ps(pid, 'time'))
  const text = readProc(pid, 'stat')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND
}

/** Seconds that its threads have run, to the nanosecond where the system counts so. */
export function runSeconds(pid: number): number {
  const threads = hasProc ? threadsOf(pid) : []
  const times = threads.map((id) => Number(readProc(pid, `task/${id}/schedstat`).split(' ')[0] || Number.NaN))
  const nanoseconds = times.reduce((sum, time) => sum + time, 0)
  return nanoseconds > 0 ? nanoseconds / 1e9 : cpuSeconds(pid)
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

/** Seconds of processor time that other machines on the same host have taken from this one since it started; 0 when not known. */
export function stolenSeconds(): number {
  if (!hasProc) return 0
  const [, , , , , , , , stolen] = readFileSync('/proc/stat', 'latin1').split(/\s+/, 9)
  return Number(stolen ?? 0) / TICKS_PER_SECOND
}

/** Bytes of memory process `pid` has resident now; 0 when it cannot be told. */
export function residentBytes(pid: number): number {
  return hasProc ? statusBytes(pid, 'VmRSS') : Number(ps(pid, 'rss')) * 1024
}

/** The most it ever had resident; where that is not recorded, what it has now. */
export function peakResidentBytes(pid: number): number {
  return hasProc ? statusBytes(pid, 'VmHWM') : residentBytes(pid)
}

function statusBytes(pid: number, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readProc(pid, 'status'))
  return Number(match?.[1] ?? 0) * 1024
}

function readProc(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1')
  } catch {
    return ''
  }
}

function ps(pid: number, column: string): string {
  try {
    return execFileSync('ps', ['-o', `${column}=`, '-p', String(pid)], { encoding: 'latin1' }).trim()
  } catch {
    return '0'
  }
}

/** `[[days-]hours:]minutes:seconds` in seconds. */
function secondsOf(time: string): number {
  const [clock = '0', days = '0'] = time.split('-').reverse()
  return clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) + Number(days) * 86_400
}
