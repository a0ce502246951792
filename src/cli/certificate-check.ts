// What --test-config finds in the files of one side of TLS: those that cannot be used, keys that do not match, dates, the order of the
// chain, revocation lists. Whose they are, and where that is told, is for tls-checks.ts.

import { X509Certificate } from 'node:crypto'
import { readRevocationList, subjectOf } from '../net/der-fields.js'
import {
  type DirectiveNames,
  readAuthorities,
  readIdentity,
  readRevocationLists,
  TlsFileError,
} from '../net/tls-files.js'
import type { Finding } from './config-findings.js'

const DAY = 86_400_000
/** A certificate that ends within this time is worth a warning; a revocation list is renewed more often. */
const SOON = { certificate: 30 * DAY, list: 3 * DAY } as const

/** Extended key usage of both sides, and "any" (RFC 5280 section 4.2.1.12). */
const USES = {
  servers: ['1.3.6.1.5.5.7.3.1', '2.5.29.37.0'],
  clients: ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0'],
} as const

/** What is wrong, with the name of the directive that it is about. */
export type Report = (severity: Finding['severity'], directive: string, message: string) => void

export class CertificateCheck {
  /** No file was found that cannot be used. */
  isUsable = true
  private readonly side: keyof typeof USES
  private readonly names: DirectiveNames
  private readonly report: Report
  private readonly now: number

  /**
   * @param names of the directives, where they are not those of listeners.
   * @param now ms since 1970
   */
  constructor(side: keyof typeof USES, names: DirectiveNames, report: Report, now: number) {
    this.side = side
    this.names = names
    this.report = report
    this.now = now
  }

  /** Does what may throw a TlsFileError, which is reported. */
  attempt<T>(action: () => T): T | undefined {
    try {
      return action()
    } catch (error) {
      if (!(error instanceof TlsFileError)) throw error
      this.isUsable = false
      const [directive = ''] = error.message.split(/[ :]/)
      this.report('error', directive, error.message)
      return undefined
    }
  }

  identity(certfile: string | undefined, keyfile: string | undefined): void {
    if (certfile === undefined || keyfile === undefined) return
    const { certfile: name = 'certfile' } = this.names
    const identity = this.attempt(() => readIdentity(certfile, keyfile, this.names))
    if (identity !== undefined) this.checkChain(name, `${name} ${certfile}`, certificatesOf(identity.cert))
  }

  /** Returns those that there are. */
  authorities(cafile: string | undefined, capath: string | undefined): readonly X509Certificate[] {
    const name = cafile === undefined ? (this.names.capath ?? 'capath') : (this.names.cafile ?? 'cafile')
    const authorities = this.attempt(() => readAuthorities(cafile, capath, this.names)) ?? []
    const isAnyValid = authorities.some(({ validTo }) => Date.parse(validTo) > this.now)
    for (const authority of authorities)
      this.checkDates(isAnyValid ? 'warning' : 'error', name, `${name}: ${nameOf(authority)}`, authority)
    return authorities
  }

  lists(crlfile: string, authorities: readonly X509Certificate[]): void {
    const pems = this.attempt(() => readRevocationLists(crlfile))
    if (pems !== undefined) this.checkLists(crlfile, pems, authorities)
  }

  private checkChain(directive: string, file: string, chain: readonly X509Certificate[]): void {
    for (const [at, certificate] of chain.entries()) {
      const what = `${file}: ${nameOf(certificate)}`
      this.checkDates('error', directive, what, certificate)
      const issuer = chain[at + 1]
      if (issuer !== undefined && !(certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)))
        this.report('error', directive, `${what} is not signed by the certificate behind it, ${nameOf(issuer)}`)
    }
    const uses: readonly string[] | undefined = chain[0]?.keyUsage
    const meant: readonly string[] = USES[this.side]
    if (uses !== undefined && !uses.some((use) => meant.includes(use)))
      this.report('error', directive, `${file}: the certificate is not meant for ${this.side}`)
  }

  private checkDates(
    severity: 'error' | 'warning',
    directive: string,
    what: string,
    { validFrom, validTo }: X509Certificate,
  ): void {
    const [from, to] = [Date.parse(validFrom), Date.parse(validTo)]
    if (to <= this.now) this.report(severity, directive, `${what} expired on ${day(to)}`)
    else if (from > this.now) this.report(severity, directive, `${what} is not valid before ${day(from)}`)
    else if (to - this.now < SOON.certificate)
      this.report('warning', directive, `${what} expires on ${day(to)}, in ${inDays(to - this.now)}`)
  }

  private checkLists(crlfile: string, pems: readonly string[], authorities: readonly X509Certificate[]): void {
    const lists = pems.flatMap((pem, at) => {
      try {
        return [readRevocationList(derOf(pem))]
      } catch {
        this.report('error', 'crlfile', `crlfile ${crlfile}: list ${at + 1} cannot be read`)
        return []
      }
    })
    for (const [at, { thisUpdate, nextUpdate }] of lists.entries()) {
      const what = `crlfile ${crlfile}: list ${at + 1}`
      if (thisUpdate > this.now) this.report('error', 'crlfile', `${what} is not valid before ${day(thisUpdate)}`)
      if (nextUpdate === undefined) continue
      if (nextUpdate <= this.now)
        this.report('error', 'crlfile', `${what} expired on ${day(nextUpdate)}: no client certificate is accepted`)
      else if (nextUpdate - this.now < SOON.list)
        this.report('warning', 'crlfile', `${what} expires on ${day(nextUpdate)}, in ${inDays(nextUpdate - this.now)}`)
    }
    for (const authority of authorities)
      if (!lists.some(({ issuer }) => issuer.equals(subjectOf(authority.raw))))
        this.report(
          'warning',
          'crlfile',
          `crlfile ${crlfile}: no list of ${nameOf(authority)}, whose clients are refused`,
        )
  }
}

function certificatesOf(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[\s\S]+?-----END \1-----/g) ?? []
  return blocks.map((block) => new X509Certificate(block))
}

function derOf(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')
}

/** The subject on one line. */
function nameOf({ subject }: X509Certificate): string {
  return `'${(subject ?? '').split('\n').join(', ')}'`
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}

function inDays(time: number): string {
  const days = Math.floor(time / DAY)
  return days === 1 ? '1 day' : `${days} days`
}
