// TLS on accepted sockets: the settings of one listener, the handshake, and the judgement on the client's certificate. The handshake
// has no clock: a connection that does not finish is ended by its owner. Files are read by tls-files, reasons worded by tls-reasons.

import { constants, type X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import {
  createSecureContext,
  DEFAULT_CIPHERS,
  getCiphers,
  type SecureContext,
  type SecureContextOptions,
  TLSSocket,
  type TLSSocketOptions,
} from 'node:tls'
import { certificatesShown } from './authority-chain.js'
import { commonName, rfc2253Subject } from './certificate-name.js'
import { faultNow, isIssuedBy } from './client-chain.js'
import type { RevocationList } from './der-fields.js'
import { opensslReason } from './openssl-reason.js'
import {
  certificatesIn,
  dateWarnings,
  parseRevocationLists,
  readAuthorities,
  readIdentity,
  readRevocationLists,
  subjectName,
  TlsFileError,
} from './tls-files.js'
import { certificateReason, notTls, tlsReason } from './tls-reasons.js'

/** TLS-PSK: a key that both sides know instead of certificates. It ends at TLS 1.2. */
export interface PskRules {
  /** Sent to clients. */
  readonly hint: string
  keyOf(identity: string): Buffer | undefined
}

/** Takes lines in the format of NSS: whoever has them can read what the connection carries. */
export type KeyLog = (line: Buffer) => void

/** Either `certificate` or `psk` is set. */
export interface TlsRules {
  readonly certificate: { readonly certfile: string; readonly keyfile: string } | undefined
  readonly psk: PskRules | undefined
  /** Authorities that client certificates are checked against: a file, a folder, or both. */
  readonly cafile: string | undefined
  readonly capath: string | undefined
  readonly crlfile: string | undefined
  /** For TLS 1.2, as an OpenSSL list. */
  readonly ciphers: string | undefined
  /** For TLS 1.3, separated by colons. */
  readonly cipherSuites: string | undefined
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** Whether a client is asked for a certificate. One that it shows must be valid; `required` refuses clients without. */
  readonly clientCertificate: 'unused' | 'asked' | 'required'
  /** Accept client certificates outside their dates. */
  readonly ignoresDates: boolean
  readonly keyLog: KeyLog | undefined
}

/** What the handshake has shown of a client. */
export interface Secured {
  /** `TLSv1.3` */
  readonly version: string
  readonly cipher: string
  /** The common name of a verified certificate, or a PSK identity. */
  readonly identity: string | undefined
  /** Of a verified certificate, as RFC 2253 writes it. */
  readonly subject: string | undefined
  /** What the client has shown here: its own certificate and those behind it. */
  readonly certificates: readonly X509Certificate[]
  /** That the client has proved to know, of its PSK identity. */
  readonly key: Buffer | undefined
}

/** How a handshake ends: one of the two is called, once. */
export interface HandshakeOutcome {
  /** Nothing has been read from `socket` yet. */
  secured(socket: TLSSocket, facts: Secured): void
  /** The connection is gone. `reason` is undefined when the client has merely left. */
  failed(reason: string | undefined): void
}

/** Of TLS 1.3. */
const isSuite = (name: string) => name.startsWith('TLS_')
const DEFAULTS = DEFAULT_CIPHERS.split(':')
const DEFAULT_SUITES = DEFAULTS.filter(isSuite).join(':')
const DEFAULT_LIST = DEFAULTS.filter((name) => !isSuite(name)).join(':')
const DEFAULT_PSK_LIST = 'kECDHEPSK:kDHEPSK:kPSK:!eNULL:@STRENGTH'

const { SSL_OP_CIPHER_SERVER_PREFERENCE, SSL_OP_NO_RENEGOTIATION, SSL_OP_NO_TICKET } = constants

/** What Node knows of a handshake and says only to its own servers. */
interface Verifier {
  readonly _handle?: {
    verifyError?(): (Error & { readonly code: string }) | null
    getServername?(): string | false | null
  } | null
}

/** `tls.createServer` takes these too, and hands them to its sockets. */
interface ServerSocketOptions extends TLSSocketOptions {
  readonly pskIdentityHint?: string
  readonly pskCallback?: (socket: TLSSocket, identity: string) => Buffer | null
}

/** Alerts of a client that finds a certificate wrong which is in order. */
const REFUSALS: ReadonlySet<string> = new Set([
  'ALERT_ACCESS_DENIED',
  'ALERT_BAD_CERTIFICATE',
  'ALERT_CERTIFICATE_UNKNOWN',
  'ALERT_INTERNAL_ERROR',
])

const UNVERIFIED = Object.assign(new Error('the certificate was not verified'), { code: 'UNVERIFIED' })

/** Secures the sockets of one listener. */
export class TlsAcceptor {
  private readonly rules: TlsRules
  private readonly options: ServerSocketOptions
  /** The certificate of the listener and those behind it. */
  private readonly own: readonly X509Certificate[]
  private readonly authorities: readonly X509Certificate[]
  private readonly revocationLists: readonly RevocationList[] | undefined
  /** What clients have called themselves in a handshake with PSK, and the key of those that are known here. */
  private readonly identities = new WeakMap<
    TLSSocket,
    { readonly identity: string; readonly key: Buffer | undefined }
  >()

  /** @throws TlsFileError when a file cannot be used or OpenSSL refuses a setting */
  constructor(rules: TlsRules) {
    this.rules = rules
    const { cafile, capath, crlfile, clientCertificate, certificate, psk } = rules
    const isAsked = clientCertificate !== 'unused'
    this.authorities = readAuthorities(cafile, capath)
    // A resumed session is not verified anew: where certificates or keys count, every connection shows its own.
    const tickets = isAsked || psk !== undefined ? SSL_OP_NO_TICKET : 0
    const lists = crlfile === undefined ? undefined : readRevocationLists(crlfile)
    this.revocationLists =
      crlfile === undefined || lists === undefined ? undefined : parseRevocationLists(crlfile, lists)
    const identity = certificate && readIdentity(certificate.certfile, certificate.keyfile)
    this.own = certificate && identity ? certificatesIn('certfile', certificate.certfile, identity.cert) : []
    const settings: SecureContextOptions = {
      ...identity,
      // Without any, Node would trust the authorities of the web.
      ca: this.authorities.map((each) => each.toString()),
      ...(lists === undefined ? {} : { crl: [...lists] }),
      ...(psk === undefined ? {} : { maxVersion: 'TLSv1.2' }),
      ciphers: cipherList(rules),
      minVersion: rules.minVersion,
      dhparam: 'auto',
      secureOptions: SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_RENEGOTIATION | tickets,
      sessionIdContext: 'tsmq',
    }
    this.options = {
      isServer: true,
      secureContext: secureContext(settings),
      requestCert: isAsked,
      rejectUnauthorized: clientCertificate === 'required',
      ...(psk && { pskIdentityHint: psk.hint, pskCallback: (socket, identity) => this.pskOf(psk, socket, identity) }),
    }
  }

  /** Certificates whose time is over or soon will be. @param now ms since 1970 */
  dateWarnings(now: number): readonly string[] {
    const { certificate, cafile, capath } = this.rules
    return [
      ...dateWarnings(`certfile ${certificate?.certfile}`, this.own, now),
      ...dateWarnings(cafile === undefined ? `capath ${capath}` : `cafile ${cafile}`, this.authorities, now),
    ]
  }

  private pskOf(psk: PskRules, socket: TLSSocket, identity: string): Buffer | null {
    const key = psk.keyOf(identity)
    this.identities.set(socket, { identity, key })
    return key ?? null
  }

  /** Waits for the handshake on an accepted socket from which nothing was read. */
  secure(socket: Socket, outcome: HandshakeOutcome): void {
    const left = failing(socket, outcome, tlsReason)
    socket.once('readable', () => {
      const start: Buffer | null = socket.read()
      // The client has left; 'close' follows.
      if (start === null) return
      socket.off('close', left)
      const fault = notTls(start[0] as number)
      if (fault !== undefined) {
        outcome.failed(fault)
        socket.destroy()
        return
      }
      socket.unshift(start)
      this.shakeHands(socket, outcome)
    })
  }

  private shakeHands(socket: Socket, outcome: HandshakeOutcome): void {
    const secured = new TLSSocket(socket, this.options)
    if (this.rules.keyLog !== undefined) secured.on('keylog', this.rules.keyLog)
    let wanted: string | undefined
    // Only now it is still known.
    secured.once('_tlsError', () => {
      wanted = (secured as unknown as Verifier)._handle?.getServername?.() || undefined
    })
    const left = failing(secured, outcome, (error) => this.reasonOf(secured, error, wanted))
    secured.once('secure', () => {
      secured.off('close', left)
      const chain = this.rules.clientCertificate === 'unused' ? [] : certificatesShown(secured)
      const fault = this.faultOf(secured, chain[0])
      if (fault === undefined) {
        // Errors of an established connection are only told in this event.
        secured.on('_tlsError', (error: Error) => secured.destroy(error))
        outcome.secured(secured, this.factsOf(secured, chain))
      } else {
        outcome.failed(fault)
        secured.destroy()
      }
    })
  }

  /** @param wanted the name under which the client has looked for this listener */
  private reasonOf(socket: TLSSocket, error: Error, wanted: string | undefined): string {
    const psk = this.identities.get(socket)
    if (psk === undefined) return tlsReason(error) + this.mismatch(error, wanted)
    return `${psk.key === undefined ? 'unknown' : 'wrong key for'} PSK identity '${psk.identity}'`
  }

  /** The likely cause, when a client that was looking for another name refuses the certificate. */
  private mismatch(error: Error, wanted: string | undefined): string {
    const [leaf] = this.own
    const isRefusal = REFUSALS.has(opensslReason(error))
    if (!isRefusal || leaf === undefined || wanted === undefined || leaf.checkHost(wanted) !== undefined) return ''
    const names = leaf.subjectAltName?.replace(/(^|, )(DNS|IP Address|URI):/g, '$1') ?? subjectName(leaf)
    return `: it looks for ${wanted}, and the certificate is for ${names}`
  }

  /** What is wrong with the client's certificate. */
  private faultOf(socket: TLSSocket, leaf: X509Certificate | undefined): string | undefined {
    const { clientCertificate, ignoresDates } = this.rules
    if (clientCertificate === 'unused') return undefined
    if (leaf === undefined) return clientCertificate === 'required' ? 'client certificate missing' : undefined
    const verifier = (socket as unknown as Verifier)._handle
    const error = verifier?.verifyError === undefined ? UNVERIFIED : verifier.verifyError()
    if (error === null || error === undefined) return undefined
    const isDate = error.code === 'CERT_HAS_EXPIRED' || error.code === 'CERT_NOT_YET_VALID'
    if (isDate && ignoresDates && isIssuedBy(leaf, this.authorities)) return undefined
    return certificateReason(error.code, socket.getPeerCertificate(true))
  }

  private factsOf(socket: TLSSocket, certificates: readonly X509Certificate[]): Secured {
    const [leaf] = certificates
    const psk = this.identities.get(socket)
    return {
      version: socket.getProtocol() ?? '',
      cipher: socket.getCipher().name,
      identity: leaf === undefined ? psk?.identity : commonName(socket.getPeerCertificate()),
      subject: leaf && rfc2253Subject(leaf),
      certificates,
      key: psk?.key,
    }
  }

  /** Why a client that has shaken hands under earlier rules would not be let in any more; undefined if it would. */
  faultNow({ identity, key, certificates }: Secured): string | undefined {
    const { clientCertificate, psk } = this.rules
    if (psk !== undefined) {
      const now = identity === undefined ? undefined : psk.keyOf(identity)
      if (now === undefined) return `unknown PSK identity '${identity}'`
      return key?.equals(now) ? undefined : `the key of PSK identity '${identity}' has changed`
    }
    if (clientCertificate === 'unused') return undefined
    const [leaf, ...shown] = certificates
    if (leaf === undefined) return clientCertificate === 'required' ? 'client certificate missing' : undefined
    const fault = faultNow(leaf, this.authorities, shown, this.revocationLists)
    return fault && `client certificate of ${subjectName(leaf)}: ${fault}`
  }
}

/** Reports a socket that ends before its handshake has; the listener returned is to be removed when it has. */
function failing(socket: Socket, outcome: HandshakeOutcome, reasonOf: (error: Error) => string): () => void {
  let failure: Error | undefined
  const onClose = () => outcome.failed(failure && reasonOf(failure))
  socket.once('close', onClose)
  socket.on('error', (error) => {
    failure = error
  })
  return onClose
}

/** Node takes the ciphers of TLS 1.2 and the suites of TLS 1.3 in one list. */
function cipherList({ ciphers, cipherSuites, psk }: TlsRules): string {
  if (psk !== undefined) return ciphers ?? DEFAULT_PSK_LIST
  // OpenSSL would pass over those it does not know, and take its own.
  for (const suite of cipherSuites?.split(':') ?? [])
    if (!suite.startsWith('TLS_') || !getCiphers().includes(suite.toLowerCase()))
      throw new TlsFileError(`ciphers_tls1.3: '${suite}' is no cipher suite of TLS 1.3, such as ${DEFAULT_SUITES}`)
  return `${cipherSuites ?? DEFAULT_SUITES}:${ciphers ?? DEFAULT_LIST}`
}

function secureContext(settings: SecureContextOptions): SecureContext {
  try {
    return createSecureContext(settings)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const isCipher = opensslReason(error) === 'NO_CIPHER_MATCH'
    throw new TlsFileError(isCipher ? 'ciphers: none of them is known' : `TLS: ${tlsReason(error)}`, { cause: error })
  }
}
