# tests.mk - each unit test with the files of the product that it links, and libraries if any:
# $(eval $(call unit-test,NAME,FILES,LIBRARIES))
$(eval $(call unit-test,test_guest_names,common/names.c common/crc32c.c))
$(eval $(call unit-test,test_proto_check,common/proto_check.c common/crc32c.c))
$(eval $(call unit-test,test_frame,))
$(eval $(call unit-test,test_sched,vgpud/sched.c))
$(eval $(call unit-test,test_session,vgpud/session.c))
