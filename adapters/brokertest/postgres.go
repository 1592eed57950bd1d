package brokertest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/atonehq/atone/saga"
)

// Recipe: PostgreSQL {

// queueTables is a table for each topic. Workers pass over what others have in hand.
type queueTables struct{ sql.PostgreSQLQueueSchema }

func (q queueTables) SelectQuery(p sql.SelectQueryParams) (sql.Query, error) {
	query, err := q.PostgreSQLQueueSchema.SelectQuery(p)
	query.Query += " SKIP LOCKED"
	return query, err
}

// OverPostgres carries attempts and outcomes in tables. A process runs one attempt of an action at a
// time: start as many workers as you want attempts at once.
func OverPostgres(ctx context.Context, url, namespace string, actions []string, logger watermill.LoggerAdapter) (message.Publisher, message.Subscriber, error) {
	topics := []string{saga.OutcomesTopic(namespace)}
	for _, action := range actions {
		topics = append(topics, saga.ActionTopic(namespace, action))
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, nil, err
	}
	config.MaxConns = int32(2*len(topics) + 4) // each topic holds one while a message is in hand
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	table := func(topic string) string {
		name := "mq_" + topic
		if len(name) > 63 { // PostgreSQL would cut it, and two topics would share a table
			name = fmt.Sprintf("%.40s_%.10x", name, sha256.Sum256([]byte(topic)))
		}
		return fmt.Sprintf("%q", name)
	}
	db := sql.BeginnerFromPgx(pool)
	schema := queueTables{sql.PostgreSQLQueueSchema{SubscribeBatchSize: 1, GenerateMessagesTableName: table}}
	pub, err := sql.NewPublisher(db, sql.PublisherConfig{SchemaAdapter: schema}, logger)
	if err != nil {
		return nil, nil, err
	}
	var unbounded time.Duration // an attempt has a deadline of its own
	sub, err := sql.NewSubscriber(db, sql.SubscriberConfig{
		SchemaAdapter:  schema,
		OffsetsAdapter: sql.PostgreSQLQueueOffsetsAdapter{DeleteOnAck: true, GenerateMessagesTableName: table},
		AckDeadline:    &unbounded,
		PollInterval:   50 * time.Millisecond,
	}, logger)
	if err != nil {
		return nil, nil, err
	}
	// The tables are made under a lock: CREATE TABLE IF NOT EXISTS fails for one of two that race.
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext('atone queues'))"); err != nil {
		return nil, nil, err
	}
	for _, topic := range topics {
		if err := sub.SubscribeInitialize(topic); err != nil {
			return nil, nil, err
		}
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_unlock(hashtext('atone queues'))"); err != nil {
		return nil, nil, err
	}
	return pub, sub, nil
}

// } Recipe
