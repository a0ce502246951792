// What plugins say of the single filters of a SUBSCRIBE or UNSUBSCRIBE, before the packet is handled. At once, or later when one of
// them takes its time.

import type { Subscribe, SubscriptionRequest } from '../../protocol/packets/subscribe.js'
import type { Unsubscribe } from '../../protocol/packets/unsubscribe.js'
import type { BrokerContext } from '../context.js'
import { isRefusal } from '../plugins/points.js'
import { isPromise, type Soon } from '../plugins/soon.js'
import type { ConnectedClient } from './connected-client.js'
import { answersIntroduction } from './introduction.js'
import { handleSubscribe, handleUnsubscribe, type JudgedFilter, type JudgedSubscription } from './subscribe.js'

/** Who has a client's next packets wait. */
export interface Waiting {
  /** Goes on with an answer, now or when it is there. */
  goOn<T>(answer: Soon<T>, use: (answer: T) => void): void
}

export function subscribeWithPlugins(
  context: BrokerContext,
  client: ConnectedClient,
  packet: Subscribe,
  waiting: Waiting,
): void {
  if (answersIntroduction(context, client, packet)) return
  const { subscribe } = context.points
  if (subscribe === undefined) {
    handleSubscribe(context, client, packet)
    return
  }
  const requests = packet.subscriptions
  const answers = requests.map((request) => subscribe(request, client.session.info))
  const judged = whenAll(answers, (answer, at): JudgedSubscription => {
    const request = requests[at] as SubscriptionRequest
    return isRefusal(answer) ? { ...request, refused: answer.refuse } : { ...request, ...answer }
  })
  waiting.goOn(judged, (all) => handleSubscribe(context, client, packet, all))
}

export function unsubscribeWithPlugins(
  context: BrokerContext,
  client: ConnectedClient,
  packet: Unsubscribe,
  waiting: Waiting,
): void {
  const { unsubscribe } = context.points
  if (unsubscribe === undefined) {
    handleUnsubscribe(context, client, packet)
    return
  }
  const { filters } = packet
  const answers = filters.map((filter) => unsubscribe(filter, client.session.info))
  const judged = whenAll(
    answers,
    (answer, at): JudgedFilter =>
      isRefusal(answer) ? { filter: filters[at] as string, refused: answer.refuse } : { filter: answer },
  )
  waiting.goOn(judged, (all) => handleUnsubscribe(context, client, packet, all))
}

function whenAll<A, B>(answers: readonly Soon<A>[], use: (answer: A, at: number) => B): Soon<readonly B[]> {
  if (answers.some(isPromise)) return Promise.all(answers).then((all) => all.map(use))
  return (answers as readonly A[]).map(use)
}
