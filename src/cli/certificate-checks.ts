// What --test-config finds about the TLS of a listener: files that cannot be used, keys that do not match, dates, the order of the
// chain, revocation lists. What the start would refuse is asked of the code that the start uses.

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { socketRules } from '../broker/socket-rules.js'
import { readRevocationList, subjectOf } from '../net/der-fields.js'
import { TlsAcceptor } from '../net/tls.js'
import { readAuthorities, readIdentity, readRevocationLists, TlsFileError } from '../net/tls-files.js'
import type { Config, ListenerConfig } from '../options/config.js'
import type { Findings } from './config-findings.js'

const DAY = 86_400_000
/** A certificate that ends within this time is worth a warning; a revocation list is renewed more often. */
const SOON = { certificate: 30 * DAY, list: 3 * DAY } as const

/** Extended key usage "TLS server" and "any" (RFC 5280 section 4.2.1.12). */
const SERVER_USES = ['1.3.6.1.5.5.7.3.1', '2.5.29.37.0']

/** @param now ms since 1970 */
export function checkCertificates(config: Config, findings: Findings, now = Date.now()): void {
  for (const listener of config.listeners) new ListenerCheck(config, listener, findings, now).run()
}

class ListenerCheck {
  private readonly config: Config
  private readonly listener: ListenerConfig
  private readonly findings: Findings
  private readonly now: number
  private isUsable = true

  constructor(config: Config, listener: ListenerConfig, findings: Findings, now: number) {
    this.config = config
    this.listener = listener
    this.findings = findings
    this.now = now
  }

  run(): void {
    const { certfile, keyfile, cafile, capath, crlfile } = this.listener
    if (certfile !== undefined && keyfile !== undefined && this.attempt(() => readIdentity(certfile, keyfile)))
      this.checkChain(certificatesOf(readFileSync(certfile, 'latin1')))
    const authorities = this.attempt(() => readAuthorities(cafile, capath)) ?? []
    this.checkAuthorities(authorities)
    const lists = crlfile === undefined ? undefined : this.attempt(() => readRevocationLists(crlfile))
    if (lists !== undefined) this.checkLists(lists, authorities)
    // Whatever else OpenSSL refuses, such as ciphers.
    const { tls } = socketRules(this.config, this.listener, () => undefined, undefined)
    if (this.isUsable && tls !== undefined) this.attempt(() => new TlsAcceptor(tls))
  }

  private attempt<T>(action: () => T): T | undefined {
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

  private report(severity: 'error' | 'warning', directive: string, message: string): void {
    this.findings.about(severity, directive, this.listener, message)
  }

  private checkChain(chain: readonly X509Certificate[]): void {
    const { certfile } = this.listener
    for (const [at, certificate] of chain.entries()) {
      const what = `certfile ${certfile}: ${nameOf(certificate)}`
      this.checkDates('error', 'certfile', what, certificate)
      const issuer = chain[at + 1]
      if (issuer !== undefined && !(certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)))
        this.report('error', 'certfile', `${what} is not signed by the certificate behind it, ${nameOf(issuer)}`)
    }
    const uses: readonly string[] | undefined = chain[0]?.keyUsage
    if (uses !== undefined && !uses.some((use) => SERVER_USES.includes(use)))
      this.report('error', 'certfile', `certfile ${certfile}: the certificate is not meant for servers`)
  }

  private checkAuthorities(authorities: readonly X509Certificate[]): void {
    const directive = this.listener.cafile === undefined ? 'capath' : 'cafile'
    const isAnyValid = authorities.some(({ validTo }) => Date.parse(validTo) > this.now)
    for (const authority of authorities)
      this.checkDates(isAnyValid ? 'warning' : 'error', directive, `${directive}: ${nameOf(authority)}`, authority)
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

  private checkLists(pems: readonly string[], authorities: readonly X509Certificate[]): void {
    const { crlfile } = this.listener
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
