// SPDX-License-Identifier: GPL-3.0-or-later

package main

import "container/list"

// lru keeps the most recently used entries, up to a limit. Not safe for use by several goroutines at once.
type lru[K comparable, V any] struct {
	limit   int
	order   *list.List
	entries map[K]*list.Element
}

type lruEntry[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](limit int) *lru[K, V] {
	return &lru[K, V]{limit: limit, order: list.New(), entries: map[K]*list.Element{}}
}

func (l *lru[K, V]) get(key K) (value V, found bool) {
	element, found := l.entries[key]
	if !found {
		return value, false
	}
	l.order.MoveToFront(element)
	return element.Value.(*lruEntry[K, V]).value, true
}

func (l *lru[K, V]) put(key K, value V) {
	if element, found := l.entries[key]; found {
		element.Value.(*lruEntry[K, V]).value = value
		l.order.MoveToFront(element)
		return
	}
	l.entries[key] = l.order.PushFront(&lruEntry[K, V]{key, value})
	if l.order.Len() > l.limit {
		l.drop(l.order.Back().Value.(*lruEntry[K, V]).key)
	}
}

func (l *lru[K, V]) drop(key K) {
	if element, found := l.entries[key]; found {
		l.order.Remove(element)
		delete(l.entries, key)
	}
}
