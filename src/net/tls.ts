// TLS on accepted sockets: the settings of one listener, the handshake, and the judgement on the client's certificate. The handshake
// has no clock: a connection that does not finish is ended by its owner. Files are read by tls-files, reasons worded by tls-reasons.

import { constants, type X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import {
  createSecureContext,
  DEFAULT_CIPHERS,
  type SecureContext,
  type SecureContextOptions,
  TLSSocket,
  type TLSSocketOptions,
} from 'node:tls'
import { commonName, rfc2253Subject } from './certificate-name.js'
import { isIssuedBy } from './client-chain.js'
import { readAuthorities, readIdentity, readRevocationLists, TlsFileError } from './tls-files.js'
import { certificateReason, notTls, tlsReason } from './tls-reasons.js'

/** TLS-PSK: a key that both sides know instead of certificates. It ends at TLS 1.2. */
export interface PskRules {
  /** Sent to clients. */
  readonly hint: string
  keyOf(identity: string): Buffer | undefined
}

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

/** What Node knows of a finished handshake and says only to its own servers. */
interface Verifier {
  readonly _handle?: { verifyError?(): (Error & { readonly code: string }) | null } | null
}

/** `tls.createServer` takes these too, and hands them to its sockets. */
interface ServerSocketOptions extends TLSSocketOptions {
  readonly pskIdentityHint?: string
  readonly pskCallback?: (socket: TLSSocket, identity: string) => Buffer | null
}

const UNVERIFIED = Object.assign(new Error('the certificate was not verified'), { code: 'UNVERIFIED' })

/** Secures the sockets of one listener. */
export class TlsAcceptor {
  private readonly rules: TlsRules
  private readonly options: ServerSocketOptions
  private readonly authorities: readonly X509Certificate[]
  /** What clients have called themselves in a handshake with PSK, known here or not. */
  private readonly identities = new WeakMap<TLSSocket, string>()

  /** @throws TlsFileError when a file cannot be used or OpenSSL refuses a setting */
  constructor(rules: TlsRules) {
    this.rules = rules
    const { cafile, capath, crlfile, clientCertificate, certificate, psk } = rules
    const isAsked = clientCertificate !== 'unused'
    this.authorities = readAuthorities(cafile, capath)
    // A resumed session is not verified anew: where certificates or keys count, every connection shows its own.
    const tickets = isAsked || psk !== undefined ? SSL_OP_NO_TICKET : 0
    const settings: SecureContextOptions = {
      ...(certificate && readIdentity(certificate.certfile, certificate.keyfile)),
      // Without any, Node would trust the authorities of the web.
      ca: this.authorities.map((each) => each.toString()),
      ...(crlfile === undefined ? {} : { crl: [...readRevocationLists(crlfile)] }),
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

  private pskOf(psk: PskRules, socket: TLSSocket, identity: string): Buffer | null {
    this.identities.set(socket, identity)
    return psk.keyOf(identity) ?? null
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
    const left = failing(secured, outcome, (error) => this.reasonOf(secured, error))
    secured.once('secure', () => {
      secured.off('close', left)
      const fault = this.faultOf(secured)
      if (fault === undefined) {
        // Errors of an established connection are only told in this event.
        secured.on('_tlsError', (error: Error) => secured.destroy(error))
        outcome.secured(secured, this.factsOf(secured))
      } else {
        outcome.failed(fault)
        secured.destroy()
      }
    })
  }

  private reasonOf(socket: TLSSocket, error: Error): string {
    const identity = this.identities.get(socket)
    if (identity === undefined) return tlsReason(error)
    const isKnown = this.rules.psk?.keyOf(identity) !== undefined
    return isKnown ? `wrong key for PSK identity '${identity}'` : `unknown PSK identity '${identity}'`
  }

  /** What is wrong with the client's certificate. */
  private faultOf(socket: TLSSocket): string | undefined {
    const { clientCertificate, ignoresDates } = this.rules
    if (clientCertificate === 'unused') return undefined
    const leaf = socket.getPeerX509Certificate()
    if (leaf === undefined) return clientCertificate === 'required' ? 'client certificate missing' : undefined
    const verifier = (socket as unknown as Verifier)._handle
    const error = verifier?.verifyError === undefined ? UNVERIFIED : verifier.verifyError()
    if (error === null || error === undefined) return undefined
    const isDate = error.code === 'CERT_HAS_EXPIRED' || error.code === 'CERT_NOT_YET_VALID'
    if (isDate && ignoresDates && isIssuedBy(leaf, this.authorities)) return undefined
    return certificateReason(error.code, socket.getPeerCertificate(true))
  }

  private factsOf(socket: TLSSocket): Secured {
    const leaf = this.rules.clientCertificate === 'unused' ? undefined : socket.getPeerX509Certificate()
    return {
      version: socket.getProtocol() ?? '',
      cipher: socket.getCipher().name,
      identity: leaf === undefined ? this.identities.get(socket) : commonName(socket.getPeerCertificate()),
      subject: leaf && rfc2253Subject(leaf),
    }
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
  return `${cipherSuites ?? DEFAULT_SUITES}:${ciphers ?? DEFAULT_LIST}`
}

function secureContext(settings: SecureContextOptions): SecureContext {
  try {
    return createSecureContext(settings)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const code = 'code' in error ? error.code : undefined
    const isCipher = code === 'ERR_SSL_NO_CIPHER_MATCH'
    throw new TlsFileError(isCipher ? 'ciphers: none of them is known' : `TLS: ${tlsReason(error)}`, { cause: error })
  }
}
