// What plugins say of a CONNECT: who the client is, and whether it may come in. The order of the questions is here; what the answers
// do is the login's business.

import type { Peer } from '../../net/listener.js'
import type { Connect } from '../../protocol/packets/connect.js'
import { isIdentifiedByHandshake } from '../identity.js'
import type { OpenListener } from '../open-listener.js'
import type { Acceptance, LoginRequest, Refusal } from '../plugins/plugin.js'
import type { Points } from '../plugins/points.js'
import { andThen, type Soon } from '../plugins/soon.js'
import type { Refused } from './connect.js'

/** As whom a client is let in. */
export interface Identity {
  readonly clientId: string
  readonly username: string | undefined
  /** By the word of a plugin: the password file knows nothing of it. */
  readonly isVouchedFor: boolean
}

/** What plugins are told of a CONNECT. */
export function loginRequest(
  { info, config }: OpenListener,
  { address, port, secured }: Peer,
  connect: Connect,
  clientId: string,
): LoginRequest {
  const { protocolVersion, cleanStart, username, password, properties } = connect
  return {
    address,
    port,
    listener: info,
    protocolVersion,
    clientId,
    username,
    password,
    isProven: isIdentifiedByHandshake(config),
    cleanStart,
    properties,
    secured: secured && { identity: secured.identity, subject: secured.subject },
  }
}

export function refusedBy({ refuse, reason = 'refused by a plugin' }: Refusal): Refused {
  return { reasonCode: refuse, reason }
}

/** Asks who the client is: plugins first, then `check`. */
export function identified(
  { authenticate }: Points,
  login: LoginRequest,
  check: () => Soon<Identity | Refused>,
): Soon<Identity | Refused> {
  if (authenticate === undefined) return check()
  return andThen(authenticate(login), (answer): Soon<Identity | Refused> => {
    if (answer === undefined) return check()
    return 'refuse' in answer ? refusedBy(answer) : vouchedFor(answer, login)
  })
}

/** Whom a plugin has accepted. */
export function vouchedFor({ username, clientId }: Acceptance, login: LoginRequest): Identity {
  return { username: username ?? login.username, clientId: clientId ?? login.clientId, isVouchedFor: true }
}

/** Asks whether a client of that identity may come in. */
export function admitted(
  { connect }: Points,
  login: LoginRequest,
  identity: Soon<Identity | Refused>,
): Soon<Identity | Refused> {
  if (connect === undefined) return identity
  return andThen(identity, (known): Soon<Identity | Refused> => {
    if ('reasonCode' in known) return known
    const { clientId, username } = known
    return andThen(connect({ ...login, clientId, username }), (refusal) => (refusal ? refusedBy(refusal) : known))
  })
}
