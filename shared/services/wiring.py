"""Every service over the ports: the composition root fills the ports with real adapters, tests with fakes."""

from shared.domain.alerts.key_ends import earliest, signature_end
from shared.domain.backfills.backfill import BackfillKind
from shared.domain.setting_problems import setting_problems
from shared.domain.timers import schedules_of
from shared.services.alerts.deliver import DeliverAlerts
from shared.services.alerts.evaluate import EvaluateAlerts
from shared.services.alerts.facts import AlertFacts
from shared.services.alerts.key_expiries import KeyExpiries
from shared.services.alerts.subscriptions import AlertSubscriptions
from shared.services.audiences.counts import AudienceCounts
from shared.services.audiences.estimate import EstimateBackfills
from shared.services.audiences.keep import KeepAudienceCounts
from shared.services.backfills.members import BackfillMembers
from shared.services.backfills.planner import PlanBackfills
from shared.services.backfills.rebuild_index import RebuildIndex
from shared.services.backfills.redrives import HandOutRedrives, RedriveSlices
from shared.services.backfills.resyncs import RequestResync
from shared.services.backfills.slices import WorkSlices
from shared.services.backfills.status import BackfillStatuses
from shared.services.backfills.sweep import SweepProfiles
from shared.services.backfills.upload_members import UploadMembers
from shared.services.backfills.uploads import AudienceUploads
from shared.services.changes.explain import ExplainProfile
from shared.services.changes.export import ExportChanges
from shared.services.changes.poisoned import Poisoned
from shared.services.changes.profile_writer import ProfileWriter
from shared.services.changes.quarantine import ReplayQuarantined
from shared.services.configuration.cache import ConfigurationCache
from shared.services.configuration.catalog import WriteCatalog
from shared.services.configuration.edit import EditConfiguration
from shared.services.configuration.turn_schedules import TurnSchedules
from shared.services.consumers.lags import ConsumerLags
from shared.services.delivery.circuit_breakers import CircuitBreakers
from shared.services.delivery.deliver import Delivery
from shared.services.delivery.forget_profiles import ForgetProfiles
from shared.services.delivery.retry import RetryExport
from shared.services.delivery.settle import SettleStreams
from shared.services.delivery.undelivered import UndeliveredExports
from shared.services.delivery.undelivered_counts import UndeliveredCounts
from shared.services.delivery.watch import WatchDestinations
from shared.services.destinations.connect import ConnectDestinations
from shared.services.destinations.manage import ManageDestinations
from shared.services.in_hand.hold import HoldMessages
from shared.services.in_hand.live_traffic import LiveTraffic
from shared.services.poison.drain import DrainPoisonQueues
from shared.services.runs.history import RunHistory
from shared.services.runs.last_day import LastDay
from shared.services.runs.last_exports import LastExports
from shared.services.runs.recently_exported import RecentlyExported
from shared.services.runs.record import RecordRuns
from shared.services.runs.shown_exports import ShownExports
from shared.services.runs.timers import TimerRuns
from shared.services.shadows.dataflows import ShadowDataflows
from shared.services.standing_in import WATCH_BUDGET, StandIn
from shared.services.worker_ports import Ports
from shared.settings import Settings


class Services:
    """The services of one worker process, which share what it remembers: configuration, breakers, traffic."""

    def __init__(self, ports: Ports, settings: Settings) -> None:
        self._ports = ports
        self._settings = settings
        clock, sleep = ports.clock, ports.sleep
        self.clock = clock
        self.audit = ports.audit
        self.health = ports.health
        self.queues = ports.queues
        self.hold_messages = HoldMessages(
            messages=ports.messages_in_hand,
            queue_names=ports.queue_names,
            clock=clock,
            sleep=sleep,
            lease_seconds=settings.message_lease,
            failed=ports.failed_messages,
        )
        self._grace = 2 * settings.config_cache_seconds
        self.setting_problems = setting_problems(settings.environment)
        self.timers = TimerRuns(ports.timers, clock, schedules_of(settings.environment), settings.time_zone)
        self.traffic = LiveTraffic(clock)
        self.last_exports = LastExports(ports.last_exports, clock)
        self.runs = RecordRuns(ports.runs, ports.metrics, self.last_exports, clock, ports.new_id)
        self.run_history = RunHistory(ports.runs, clock)
        self.last_day = LastDay(ports.runs, clock)
        self.audience_counts = AudienceCounts(ports.audience_counts, ports.runs, clock)
        self.estimate_backfills = EstimateBackfills(
            counts=self.audience_counts,
            history=self.run_history,
            clock=clock,
            per_second=settings.backfill_per_second,
        )
        self.shown_exports = ShownExports(last=self.last_exports, profiles=ports.profiles)
        self.recently_exported = RecentlyExported(last=self.last_exports, profiles=ports.profiles)
        self.configuration = ConfigurationCache(ports.configuration, ports.health, clock, settings.config_cache_seconds)
        self.edit_configuration = EditConfiguration(
            store=ports.configuration, health=ports.health, configuration=self.configuration, clock=clock
        )
        self.turn_schedules = TurnSchedules(edit=self.edit_configuration, clock=clock)
        self.consumer_lags = ConsumerLags(
            configuration=self.configuration,
            checkpoints=ports.checkpoints,
            hubs=ports.hub_properties,
            store=ports.consumer_lags,
            metrics=ports.metrics,
            clock=clock,
        )
        self.key_expiries = KeyExpiries(secrets=ports.secrets, clock=clock)
        self.breakers = CircuitBreakers(ports.health, self.configuration, clock)
        self.delivery = Delivery(
            sender=ports.sender,
            breakers=self.breakers,
            undelivered=ports.undelivered,
            retries=ports.retries,
            runs=self.runs,
            clock=clock,
            retry_delays=settings.retry_delays,
        )
        self.forget_profiles = ForgetProfiles(
            profiles=ports.profiles,
            members=ports.members,
            undelivered=ports.undelivered,
            quarantine=ports.quarantine,
            last_exports=self.last_exports,
            configuration=self.configuration,
            clock=clock,
            sleep=sleep,
        )
        self.settle_streams = SettleStreams(
            profiles=ports.profiles,
            configuration=self.configuration,
            delivery=self.delivery,
            retries=ports.retries,
            forget=self.forget_profiles,
            lingering=settings.send_timeout,
        )
        self.writer = ProfileWriter(
            profiles=ports.profiles,
            members=ports.members,
            configuration=self.configuration,
            delivery=self.delivery,
            settle=self.settle_streams,
            runs=self.runs,
            clock=clock,
            sleep=sleep,
        )
        self.retry_export = RetryExport(
            profiles=ports.profiles,
            configuration=self.configuration,
            sender=ports.sender,
            breakers=self.breakers,
            undelivered=ports.undelivered,
            retries=ports.retries,
            forget=self.forget_profiles,
            settle=self.settle_streams,
            runs=self.runs,
            clock=clock,
            retry_delays=settings.retry_delays,
            lingering=settings.send_timeout,
        )
        self._make_the_services_of_backfills()
        self.export_changes = ExportChanges(
            writer=self.writer,
            forget=self.forget_profiles,
            catalog=WriteCatalog(
                edit_configuration=self.edit_configuration, configuration=self.configuration, clock=clock
            ),
            request_resync=self.resyncs.by_message,
            quarantine=ports.quarantine,
            traffic=self.traffic,
            runs=self.runs,
            tracing=ports.tracing,
            clock=clock,
        )
        self.explain_profile = ExplainProfile(
            profiles=ports.profiles,
            undelivered=ports.undelivered,
            quarantine=ports.quarantine,
            configuration=self.configuration,
            delivery=self.delivery,
            clock=clock,
        )
        self.connect_destinations = ConnectDestinations(
            secrets=ports.secrets,
            verifier=ports.verifier,
            setting=settings.event_hubs,
            local=settings.is_local,
            old_key_needed=settings.backfill_delay,
            egress_addresses=settings.egress_addresses,
        )
        self.destinations = ManageDestinations(configuration=self.edit_configuration, hubs=self.connect_destinations)
        self.shadows = ShadowDataflows(
            configuration=self.edit_configuration,
            history=self.run_history,
            estimate_backfills=self.estimate_backfills,
            clock=clock,
        )
        self._make_the_services_of_failure()
        self._make_the_services_of_alerts()
        self.drain_poison_queues = DrainPoisonQueues(
            queues=ports.poison_queues,
            rounds=ports.poison_rounds,
            poisoned=self.poisoned,
            slices=self.work_slices,
            deliveries=self.deliver_alerts,
            clock=clock,
        )
        self.stand_in = StandIn(
            timers=self.timers,
            watch=self._watch_destinations(budget=WATCH_BUDGET),
            evaluate_alerts=self.evaluate_alerts,
            clock=clock,
        )

    def _make_the_services_of_failure(self) -> None:
        ports = self._ports
        self.watch_destinations = self._watch_destinations()
        self.undelivered_exports = UndeliveredExports(
            undelivered=ports.undelivered,
            counted=UndeliveredCounts(undelivered=ports.undelivered, clock=ports.clock),
            health=ports.health,
            backfills=ports.backfills,
            configuration=self.configuration,
        )
        self.poisoned = Poisoned(
            profiles=ports.profiles,
            configuration=self.configuration,
            quarantine=ports.quarantine,
            delivery=self.delivery,
            undelivered=ports.undelivered,
            runs=self.runs,
            clock=ports.clock,
        )
        self.replay_quarantined = ReplayQuarantined(quarantine=ports.quarantine, changes=ports.changes)

    def _watch_destinations(self, **budget: float) -> WatchDestinations:
        ports, settings = self._ports, self._settings
        return WatchDestinations(
            configuration=self.configuration,
            undelivered=ports.undelivered,
            health=ports.health,
            retry=self.retry_export,
            slices=HandOutRedrives(backfills=ports.backfills, plan=self.plan_backfills, clock=ports.clock),
            traffic=self.traffic,
            clock=ports.clock,
            sleep=ports.sleep,
            redrive_per_second=settings.redrive_per_second,
            grace=self._grace,
            **budget,
        )

    def _make_the_services_of_backfills(self) -> None:
        ports, settings = self._ports, self._settings
        self.plan_backfills = PlanBackfills(
            store=ports.configuration,
            configuration=self.configuration,
            backfills=ports.backfills,
            queue=ports.slices,
            files=ports.uploads,
            audience_counts=KeepAudienceCounts(
                store=ports.audience_counts,
                runs=ports.runs,
                configuration=self.configuration,
                metrics=ports.metrics,
            ),
            clock=ports.clock,
            delay=settings.backfill_delay,
        )
        self.backfill_statuses = BackfillStatuses(
            plan=self.plan_backfills,
            backfills=ports.backfills,
            store=ports.configuration,
            health=ports.health,
            clock=ports.clock,
        )
        self.resyncs = RequestResync(
            store=ports.configuration,
            backfills=ports.backfills,
            plan=self.plan_backfills,
            clock=ports.clock,
            new_id=ports.new_id,
        )
        backfill_members = BackfillMembers(
            profiles=ports.profiles,
            members=ports.members,
            configuration=self.configuration,
            delivery=self.delivery,
            settle=self.settle_streams,
            breakers=self.breakers,
            forget=self.forget_profiles,
            clock=ports.clock,
        )
        sweep_profiles = SweepProfiles(
            profiles=ports.profiles,
            members=ports.members,
            configuration=self.configuration,
            writer=self.writer,
            delivery=self.delivery,
            settle=self.settle_streams,
            forget=self.forget_profiles,
            clock=ports.clock,
        )
        upload_members = UploadMembers(
            files=ports.uploads,
            changes=ports.changes,
            profiles=ports.profiles,
            members=ports.members,
            backfills=ports.backfills,
            clock=ports.clock,
        )
        redrive_slices = RedriveSlices(
            configuration=self.configuration,
            undelivered=ports.undelivered,
            health=ports.health,
            retry=self.retry_export,
            breakers=self.breakers,
            traffic=self.traffic,
            clock=ports.clock,
            most_per_second=settings.redrive_per_second,
            grace=self._grace,
        )
        self.audience_uploads = AudienceUploads(
            store=ports.configuration,
            backfills=ports.backfills,
            plan=self.plan_backfills,
            files=ports.uploads,
            clock=ports.clock,
            new_id=ports.new_id,
            url_seconds=settings.upload_url_seconds,
        )
        self.work_slices = WorkSlices(
            backfills=ports.backfills,
            queue=ports.slices,
            kinds={
                BackfillKind.BACKFILL: backfill_members,
                BackfillKind.RESYNC: backfill_members,
                BackfillKind.SWEEP: sweep_profiles,
                BackfillKind.UPLOAD: upload_members,
                BackfillKind.REDRIVE: redrive_slices,
            },
            traffic=self.traffic,
            clock=ports.clock,
            sleep=ports.sleep,
            most_per_second=settings.backfill_per_second,
        )
        self.rebuild_index = RebuildIndex(profiles=ports.profiles, members=ports.members)

    def _make_the_services_of_alerts(self) -> None:
        ports, local = self._ports, self._settings.is_local
        self.evaluate_alerts = EvaluateAlerts(
            configuration=self.configuration,
            facts=AlertFacts(
                health=ports.health,
                undelivered=ports.undelivered,
                backfills=ports.backfills,
                history=self.run_history,
                queues=ports.queues,
                poison_rounds=ports.poison_rounds,
                timers=self.timers,
                consumer_lags=self.consumer_lags,
                key_expiries=self.key_expiries,
                storage_key_end=earliest(map(signature_end, self._settings.storage_connection_strings())),
                setting_errors=sum(problem.is_error for problem in self.setting_problems),
                sign_in_failing_since=ports.sign_in_failing_since,
                clock=ports.clock,
            ),
            store=ports.alerts,
            queue=ports.alert_deliveries,
            metrics=ports.metrics,
            clock=ports.clock,
            new_id=ports.new_id,
        )
        self.deliver_alerts = DeliverAlerts(
            store=ports.alerts,
            queue=ports.alert_deliveries,
            secrets=ports.secrets,
            webhooks=ports.webhooks,
            clock=ports.clock,
            local=local,
        )
        self.alert_subscriptions = AlertSubscriptions(
            store=ports.alerts,
            secrets=ports.secrets,
            deliver=self.deliver_alerts,
            clock=ports.clock,
            new_id=ports.new_id,
            local=local,
        )
