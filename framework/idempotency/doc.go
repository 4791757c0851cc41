// Package idempotency lets a piece of work that is identified by a key be done
// by one attempt at a time and, once done, not again until its record expires.
//
// # Semantics
//
// An attempt claims its key before it acts, completes the claim after it acted,
// and releases it if it failed. A claim excludes other attempts until its lease
// ends; a completed record excludes them until it expires. What follows:
//
//   - While a lease is live, no second attempt runs.
//   - An attempt that crashed holds its key until its lease ends; the next one
//     then takes over. If the first had already acted, and its effect is not in
//     the same transaction as the completion (see [Claim.Commit]), the effect
//     happens twice. No protocol can rule this out for an effect elsewhere; the
//     claim's generation lets that other system refuse the older attempt.
//   - An attempt that outlived its lease can neither complete nor release its
//     successor's claim: both are fenced by the owner token.
//   - A claim whose response was lost is recognised as one's own by the same
//     token, so a client's retry does not lock itself out.
//   - Generations of a key strictly increase until its record is deleted. For
//     this, releasing keeps the record; only its expiry deletes it.
//
// A store keeps no time. Every request carries the caller's clock, because a
// record's time-to-live is deleted late by DynamoDB (within days, says its
// documentation) and conditions must compare the clock anyway, and because the
// local runtime moves that clock.
package idempotency
