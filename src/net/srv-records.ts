// Where the brokers of a domain are: its SRV records (RFC 2782), in the order in which they are to be tried.

import { resolveSrv } from 'node:dns/promises'
import type { HostPort } from './dial.js'

/** `name` is service, protocol and domain: `_mqtt._tcp.example.org`. Rejects with the error of the lookup. */
export async function locate(name: string): Promise<readonly HostPort[]> {
  const records = await resolveSrv(name)
  return ordered(records, Math.random).map(({ name: host, port }) => ({ host, port }))
}

interface Weighted {
  readonly priority: number
  readonly weight: number
}

/** Lowest priority number first; among equals by chance, the heavier more often first. */
export function ordered<R extends Weighted>(records: readonly R[], random: () => number): readonly R[] {
  return records
    .map((record) => ({
      record,
      draw: record.weight === 0 ? Number.POSITIVE_INFINITY : -Math.log(1 - random()) / record.weight,
    }))
    .sort((a, b) => a.record.priority - b.record.priority || a.draw - b.draw)
    .map(({ record }) => record)
}
