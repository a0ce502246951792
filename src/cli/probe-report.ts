// How a probe is printed: a line for each step with its time, or one JSON object.

import type { ProbeStage, StageResult } from './probe-stages.js'

/** TABLE of the steps: for people, and in JSON. */
const NAMES: Readonly<Record<ProbeStage, readonly [label: string, key: string]>> = {
  lookup: ['name', 'name'],
  connect: ['TCP', 'tcp'],
  proxy: ['proxy', 'proxy'],
  tls: ['TLS', 'tls'],
  websocket: ['upgrade', 'websocket'],
  mqtt: ['CONNECT', 'connect'],
  round_trip: ['round trip', 'round_trip'],
}

const WIDTH = Math.max(...Object.values(NAMES).map(([label]) => label.length))

/** `TLS         ok      12.3 ms  TLSv1.3, ...`. @param isLocal over a Unix socket */
export function stageLine({ stage, ok, ms, text }: StageResult, isLocal: boolean): string {
  const label = stage === 'connect' && isLocal ? 'socket' : NAMES[stage][0]
  return `${label.padEnd(WIDTH)}  ${ok ? 'ok    ' : 'failed'}  ${ms.toFixed(1).padStart(7)} ms  ${text}\n`
}

export interface ProbeSummary {
  readonly host: string
  readonly port: number
  readonly status: number
  readonly stages: readonly StageResult[]
}

/** One line. */
export function probeJson({ host, port, status, stages }: ProbeSummary): string {
  const object = {
    ok: status === 0,
    status,
    host,
    port,
    stages: stages.map(({ stage, ok, ms, facts }) => ({
      stage: NAMES[stage][1],
      ok,
      ms: Number(ms.toFixed(3)),
      ...facts,
    })),
  }
  return `${JSON.stringify(object)}\n`
}
