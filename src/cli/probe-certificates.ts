// The certificates that a broker shows, for a probe: whose they are, for which names, by whom, and until when.

import type { DetailedPeerCertificate } from 'node:tls'

/** Names as in JSON. */
export interface ProbeCertificate {
  readonly subject: string
  /** For which hosts; empty for an authority's. */
  readonly names: readonly string[]
  readonly issuer: string
  /** Days, ISO 8601. */
  readonly valid_from: string
  readonly valid_to: string
  /** Whole days until then, negative when it has passed. */
  readonly days_left: number
}

const DAY = 86_400_000

/** The broker's own first. @param now ms since 1970. */
export function certificateChain(leaf: DetailedPeerCertificate, now: number): readonly ProbeCertificate[] {
  const chain: ProbeCertificate[] = []
  const seen = new Set<string>()
  let each: DetailedPeerCertificate | undefined = leaf
  // What signs itself is its own issuer; a broker without certificate has an object without members.
  while (each?.fingerprint256 !== undefined && !seen.has(each.fingerprint256)) {
    seen.add(each.fingerprint256)
    chain.push({
      subject: nameOf(each.subject),
      names: each.subjectaltname?.split(', ').map((name) => name.replace(/^(DNS|IP Address|URI):/, '')) ?? [],
      issuer: nameOf(each.issuer),
      valid_from: dayOf(each.valid_from),
      valid_to: dayOf(each.valid_to),
      days_left: Math.floor((Date.parse(each.valid_to) - now) / DAY),
    })
    each = each.issuerCertificate
  }
  return chain
}

/** One line. */
export function chainText(chain: readonly ProbeCertificate[]): string {
  return chain
    .map(({ subject, names, issuer, valid_to, days_left }, at) => {
      const whose =
        at > 0
          ? `issued by ${subject}`
          : `certificate of ${subject}${names.length > 0 ? ` for ${names.join(', ')}` : ''}`
      const by = at === chain.length - 1 && issuer !== subject ? `, issued by ${issuer}` : ''
      return `${whose}, until ${valid_to} (${days_left} days)${by}`
    })
    .join('; ')
}

/** What is wrong if a certificate is to be valid for `days` more. */
export function expiryProblem(chain: readonly ProbeCertificate[], days: number): string | undefined {
  const first = chain.find(({ days_left }) => days_left < days)
  if (first === undefined) return undefined
  return `the certificate of ${first.subject} ends on ${first.valid_to}, in ${first.days_left} days, and --min-cert-days is ${days}`
}

function nameOf(name: DetailedPeerCertificate['subject'] | undefined): string {
  const [text = 'nobody'] = [name?.CN ?? name?.O].flat()
  return text
}

function dayOf(time: string): string {
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? time : date.toISOString().slice(0, 10)
}
